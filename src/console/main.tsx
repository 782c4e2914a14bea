import { render } from "preact";
import { App } from "./app.tsx";
import "./console.css";
import * as feed from "./feed.ts";
import * as live from "./live.ts";
import * as route from "./route.ts";
import * as theme from "./theme.ts";

theme.follow();
route.follow();
live.start();
feed.follow();
const root = document.getElementById("console");
if (root !== null) render(<App />, root);
