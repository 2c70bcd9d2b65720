// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/client-go/util/jsonpath"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Encode writes a result in a machine format. What a terminal would obey is
// escaped in JSON, which then means the same. YAML and the values of a template
// are as they are in a pipe, and lack it on a terminal.
func Encode(format string, result any, terminal bool) ([]byte, error) {
	template, isPath := strings.CutPrefix(format, "jsonpath=")
	switch {
	case format == "json":
		return JSON(result, "    ")
	case format == "yaml":
		out, err := toYAML(result)
		if err != nil {
			return nil, fmt.Errorf("print yaml: %w", err)
		}
		if terminal {
			out = []byte(text.Visible(string(out)))
		}
		return out, nil
	case isPath:
		return fromPath(template, result, terminal)
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
func toYAML(object any) ([]byte, error) {
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
	return yaml.JSONToYAML(escaped.Bytes())
}

// fromPath fills a template.
func fromPath(template string, result any, terminal bool) ([]byte, error) {
	path := jsonpath.New("out").AllowMissingKeys(true)
	if err := path.Parse(template); err != nil {
		return nil, badTemplate(err)
	}
	// Templates use the JSON names, so the value goes through JSON first.
	raw, err := json.Marshal(result)
	if err != nil {
		return nil, fmt.Errorf("print jsonpath: %w", err)
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return nil, fmt.Errorf("print jsonpath: %w", err)
	}
	if terminal {
		tree = visible(tree)
	}
	var out bytes.Buffer
	if err := path.Execute(&out, tree); err != nil {
		return nil, badTemplate(err)
	}
	return append(out.Bytes(), '\n'), nil
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
		strings.Join(append(known, "json, yaml or jsonpath=TEMPLATE"), ", ")))
}

// badTemplate is the error of a template that cannot be read.
func badTemplate(err error) error {
	return plan.As(plan.Misused, plan.Hint(fmt.Errorf("--output: %w", err),
		"how templates are written: https://kubernetes.io/docs/reference/kubectl/jsonpath"))
}

// CheckFormat refuses an unknown format before anything is done; more are the
// command's own formats.
func CheckFormat(format string, more ...string) error {
	for _, known := range append([]string{"", "table", "json", "yaml"}, more...) {
		if format == known {
			return nil
		}
	}
	if template, ok := strings.CutPrefix(format, "jsonpath="); ok {
		if err := jsonpath.New("out").Parse(template); err != nil {
			return badTemplate(err)
		}
		return nil
	}
	return unknownOutput(format, append([]string{"table"}, more...)...)
}
