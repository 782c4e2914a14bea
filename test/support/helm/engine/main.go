// Renders a chart with the text/template and the Sprig that Helm is made of, so that the renderer of the tests can be
// compared with them: a Render of chart.ts as JSON on standard input, the texts by template on standard output.
// Built without modules, from Debian's golang-github-masterminds-sprig-dev and golang-k8s-sigs-yaml-dev.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"sigs.k8s.io/yaml"
)

type render struct {
	Templates map[string]string
	Files     map[string]string
	Context   map[string]interface{}
}

type files map[string]string

func (f files) Get(name string) string { return f[name] }

func (f files) Glob(pattern string) files {
	found := files{}
	for name, text := range f {
		if matched, _ := path.Match(pattern, name); matched {
			found[name] = text
		}
	}
	return found
}

func (f files) AsConfig() string {
	contents := map[string]string{}
	for name, text := range f {
		contents[path.Base(name)] = text
	}
	return toYaml(contents)
}

func toYaml(value interface{}) string {
	text, err := yaml.Marshal(value)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(text), "\n")
}

func main() {
	var asked render
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		fail(err)
	}
	all := template.New("chart").Option("missingkey=zero")
	functions := sprig.TxtFuncMap()
	functions["toYaml"] = toYaml
	functions["fail"] = func(message string) (string, error) { return "", errors.New(message) }
	functions["include"] = func(name string, data interface{}) (string, error) {
		var text strings.Builder
		err := all.ExecuteTemplate(&text, name, data)
		return text.String(), err
	}
	all.Funcs(functions)
	names := []string{}
	for name, text := range asked.Templates {
		template.Must(all.New(name).Parse(text))
		names = append(names, name)
	}
	sort.Strings(names)
	asked.Context["Files"] = files(asked.Files)
	texts := map[string]string{}
	for _, name := range names {
		if strings.HasPrefix(path.Base(name), "_") {
			continue
		}
		var text strings.Builder
		if err := all.ExecuteTemplate(&text, name, asked.Context); err != nil {
			fail(err)
		}
		texts[name] = strings.ReplaceAll(text.String(), "<no value>", "")
	}
	if err := json.NewEncoder(os.Stdout).Encode(texts); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
