import type { Passage, Peer } from "./peer.ts";

/** As its documentation has it for kept connections to upstreams and for WebSockets; anything else is as it comes. */
const NGINX: Peer = {
  name: "nginx",
  package: "nginx-light",
  command: "nginx",
  versionArgument: "-v",
  arguments: (file) => ["-c", file],
  configuration: (folder, passages) => `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
${passages.map(nginxServer).join("\n")}
}
`,
};

function nginxServer({ port, regionPort }: Passage, index: number): string {
  return `
  upstream region${index} {
    server 127.0.0.1:${regionPort} max_fails=0;
    keepalive 16;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://region${index};
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
    }
  }`;
}

/** Time-outs, which it asks for, and nothing else. */
const HAPROXY: Peer = {
  name: "HAProxy",
  package: "haproxy",
  command: "haproxy",
  versionArgument: "-v",
  arguments: (file) => ["-db", "-f", file],
  configuration: (_folder, passages) => `
defaults
  mode http
  timeout connect 2s
  timeout client 10s
  timeout server 10s
  timeout http-request 10s
  option forwardfor
${passages.map(haproxyPair).join("\n")}
`,
};

function haproxyPair({ port, regionPort }: Passage, index: number): string {
  return `
frontend clients${index}
  bind 127.0.0.1:${port}
  default_backend region${index}
backend region${index}
  server region 127.0.0.1:${regionPort}
`;
}

export const PEERS: readonly Peer[] = [NGINX, HAPROXY];
