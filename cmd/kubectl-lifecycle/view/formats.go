// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/client-go/util/jsonpath"
	"k8s.io/kubectl/pkg/cmd/get"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Machine are the formats that every result has, for the help.
const Machine = "json, yaml, kyaml, jsonpath=TEMPLATE, go-template=TEMPLATE or custom-columns=SPEC"

// Encode writes a result in a machine format. What a terminal would obey is
// escaped in JSON, which then means the same. YAML and the values of a template
// are as they are in a pipe, and lack it on a terminal.
func Encode(format string, result any, terminal bool) ([]byte, error) {
	name, template, isTemplate := strings.Cut(format, "=")
	switch {
	case format == "json":
		return JSON(result, "    ")
	case format == "yaml", format == "kyaml":
		write := yaml.JSONToYAML
		if format == "kyaml" {
			write = kyaml
		}
		out, err := toYAML(result, write, terminal)
		if err != nil {
			return nil, fmt.Errorf("print %s: %w", format, err)
		}
		if terminal {
			out = []byte(text.Visible(string(out)))
		}
		return out, nil
	case isTemplate && templates()[name] != nil:
		return fill(name, template, result, terminal)
	}
	return nil, unknownOutput(format)
}

// JSON writes an object that neither a terminal nor a parser trips over;
// without an indent it is one line.
func JSON(object any, indent string) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetIndent("", indent)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(object); err != nil {
		return nil, fmt.Errorf("print json: %w", err)
	}
	return text.JSON(out.Bytes()), nil
}

// toYAML makes YAML of JSON, whose reader refuses some control characters unless
// they are escaped, and all escapes of two halves (go.yaml.in/yaml/v2 2.4,
// readerc.go and scannerc.go): a host could keep its inventory from being printed.
//
// On a terminal no value begins a line: one of several lines would be written as such, and
// a line of its own could pass for one of the program's.
func toYAML(object any, write func([]byte) ([]byte, error), terminal bool) ([]byte, error) {
	raw, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	var escaped bytes.Buffer
	for _, r := range string(raw) {
		if one := []byte(string(r)); r > 0xffff {
			escaped.Write(one)
		} else {
			escaped.Write(text.JSON(one))
		}
	}
	if terminal {
		return write(unbroken(escaped.Bytes()))
	}
	return write(escaped.Bytes())
}

// unbroken puts a space in the place of every line break in the texts of JSON.
func unbroken(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] == '\\' && i+1 < len(raw) { // an escape is of two bytes at least
			if raw[i+1] == 'n' || raw[i+1] == 'r' {
				out = append(out, ' ')
			} else {
				out = append(out, raw[i], raw[i+1])
			}
			i++
			continue
		}
		out = append(out, raw[i])
	}
	return out
}

// kyaml makes of JSON the YAML that cannot be misread (KEP-5295).
func kyaml(raw []byte) ([]byte, error) {
	var out bytes.Buffer
	err := new(printers.KYAMLPrinter).PrintObj(&runtime.Unknown{Raw: raw}, &out)
	return out.Bytes(), err
}

// printer writes the objects of a result.
type printer func(value map[string]any, out io.Writer) error

// templates are the formats that take a template, each with what reads one.
func templates() map[string]func(template string) (printer, error) {
	return map[string]func(string) (printer, error){"jsonpath": byPath, "go-template": byTemplate, "custom-columns": byColumns}
}

func byPath(template string) (printer, error) {
	path := jsonpath.New("out").AllowMissingKeys(true)
	if err := path.Parse(template); err != nil {
		return nil, err
	}
	return func(value map[string]any, out io.Writer) error { return path.Execute(out, value) }, nil
}

func byTemplate(template string) (printer, error) {
	of, err := printers.NewGoTemplatePrinter([]byte(template))
	if err != nil {
		return nil, err
	}
	return func(value map[string]any, out io.Writer) error {
		return of.PrintObj(&unstructured.Unstructured{Object: value}, out)
	}, nil
}

func byColumns(spec string) (printer, error) {
	of, err := get.NewCustomColumnsPrinterFromSpec(spec, unstructured.UnstructuredJSONScheme, false)
	if err != nil {
		return nil, err
	}
	return func(value map[string]any, out io.Writer) error {
		all, list := listed(value)
		if !list {
			return of.PrintObj(&all[0], out)
		}
		return of.PrintObj(&unstructured.UnstructuredList{Object: value, Items: all}, out)
	}, nil
}

// fill fills a template. What a printer has written before it failed is no result.
func fill(name, template string, result any, terminal bool) ([]byte, error) {
	write, err := templates()[name](template)
	if err != nil {
		return nil, badTemplate(name, err)
	}
	value, err := tree(result, terminal)
	if err != nil {
		return nil, fmt.Errorf("print %s: %w", name, err)
	}
	var out bytes.Buffer
	if err := write(value, &out); err != nil {
		return nil, badTemplate(name, err)
	}
	if name == "jsonpath" {
		out.WriteByte('\n')
	}
	return out.Bytes(), nil
}

// visible makes each text of a JSON value fit for a terminal.
func visible(value any) any {
	switch v := value.(type) {
	case string:
		return text.Visible(strings.ReplaceAll(v, "\n", " "))
	case []any:
		for i := range v {
			v[i] = visible(v[i])
		}
	case map[string]any:
		shown := make(map[string]any, len(v))
		for key, inner := range v {
			shown[text.Line(key)] = visible(inner)
		}
		return shown
	}
	return value
}

// unknownOutput is the error of a format that a command does not have.
func unknownOutput(format string, known ...string) error {
	return plan.As(plan.Misused, plan.Hint(fmt.Errorf("unknown output format %q", format), "--output takes %s",
		strings.Join(append(known, Machine), ", ")))
}

// badTemplate is the error of a template that cannot be read.
func badTemplate(name string, err error) error {
	where := map[string]string{
		"jsonpath":       "https://kubernetes.io/docs/reference/kubectl/jsonpath",
		"go-template":    "https://pkg.go.dev/text/template",
		"custom-columns": "https://kubernetes.io/docs/reference/kubectl/#custom-columns",
	}
	return plan.As(plan.Misused, plan.Hint(fmt.Errorf("--output: %w", err), "how templates are written: %s", where[name]))
}

// CheckFormat refuses an unknown format before anything is done; more are the
// command's own formats.
func CheckFormat(format string, more ...string) error {
	for _, known := range append([]string{"", "table", "json", "yaml", "kyaml"}, more...) {
		if format == known {
			return nil
		}
	}
	name, template, _ := strings.Cut(format, "=")
	if read := templates()[name]; read != nil && name != format {
		if _, err := read(template); err != nil {
			return badTemplate(name, err)
		}
		return nil
	}
	return unknownOutput(format, append([]string{"table"}, more...)...)
}
