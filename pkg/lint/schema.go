// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"bufio"
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

//go:embed data
var data embed.FS

// lines are those of a file of data, without its remarks.
func lines(name string) (all []string) {
	f, err := data.Open("data/" + name + ".txt")
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // it is a part of the program
	scanner := bufio.NewScanner(f)
	for scanner.Scan() {
		if line := strings.TrimSpace(scanner.Text()); line != "" && line[0] != '#' {
			all = append(all, line)
		}
	}
	return all
}

// schema maps types to their fields, and these to their types.
type schema map[string]map[string]string

func readSchema() schema {
	s := schema{}
	for _, line := range lines("schema") {
		words := strings.Fields(line)
		s[words[0]] = map[string]string{}
		for _, word := range words[1:] {
			name, kind, _ := strings.Cut(word, "=")
			s[words[0]][name] = kind
		}
	}
	return s
}

// fields compares a value with its type, strictly, as kubeadm does.
func (l *linter) fields(s schema, kind string, v value) {
	switch {
	case !v.there() || kind == "any":
	case strings.HasPrefix(kind, "[]"):
		l.list(s, kind[2:], v)
	case strings.HasPrefix(kind, "{}"):
		if v.node.Kind != yaml.MappingNode {
			l.say(Type, Blocks, v, v.path+" must be a mapping of names to values", "write NAME: VALUE below it")
			return
		}
		l.twice(v)
		for _, f := range v.fields() {
			l.fields(s, kind[2:], f.value)
		}
	case s[kind] != nil:
		l.object(s, kind, v)
	case v.node.Kind != yaml.ScalarNode:
		l.say(Type, Blocks, v, fmt.Sprintf("%s must be %s, and is a %s", v.path, a(kind), shape(v)), "write one value")
	case !fits(kind, v.node):
		l.say(Type, Blocks, v, fmt.Sprintf("%s must be %s, and is %q", v.path, a(kind), short(v.text())), hintOfType(kind))
	}
}

// list compares a list. The arguments of components were mappings before v1beta4.
func (l *linter) list(s schema, kind string, v value) {
	switch {
	case v.node.Kind == yaml.SequenceNode:
		for _, item := range v.items() {
			l.fields(s, kind, item)
		}
	case kind == "Arg" && v.node.Kind == yaml.MappingNode:
		l.say(Type, Blocks, v, v.path+" is a mapping, as in v1beta3; since v1beta4 it is a list of names and values",
			"write each as an item of the list: {name: FLAG, value: \"VALUE\"}")
	default:
		l.say(Type, Blocks, v, fmt.Sprintf("%s must be a list, and is a %s", v.path, shape(v)), "begin each item with a dash")
	}
}

// object compares a mapping with the fields of its type.
func (l *linter) object(s schema, kind string, v value) {
	if v.node.Kind != yaml.MappingNode {
		l.say(Type, Blocks, v, fmt.Sprintf("%s must hold fields (%s), and is a %s", v.path, some(s[kind]), shape(v)), "indent them below it")
		return
	}
	l.twice(v)
	for _, f := range v.fields() {
		name := f.key.node.Value
		if name == "<<" {
			continue // what it brings was judged at its anchor, or is a scalar
		}
		if of, known := s[kind][name]; known {
			l.fields(s, of, f.value)
			continue
		}
		l.say(Field, Blocks, f.key, fmt.Sprintf("%s has no field %q", kind, short(name)), nearest(s, kind, name))
	}
}

// twice finds keys that are there more than once: the parser of kubeadm refuses them.
func (l *linter) twice(v value) {
	seen := map[string]bool{}
	for _, f := range v.fields() {
		if name := f.key.node.Value; seen[name] {
			l.say(Twice, Blocks, f.key, fmt.Sprintf("%q is there twice", short(name)), "leave one of them")
		} else {
			seen[name] = true
		}
	}
}

// nearest says where a field that is unknown might belong.
func nearest(s schema, kind, name string) string {
	for _, known := range slices.Sorted(maps.Keys(s[kind])) {
		if strings.EqualFold(known, name) {
			return "it is written " + known
		}
	}
	var others []string
	for other, fields := range s {
		if _, has := fields[name]; has {
			others = append(others, other)
		}
	}
	slices.Sort(others)
	if len(others) > 0 {
		return fmt.Sprintf("it is a field of %s: is its indentation right?", strings.Join(others[:min(len(others), 3)], ", "))
	}
	return fmt.Sprintf("%s has %s", kind, some(s[kind]))
}

func some(fields map[string]string) string {
	names := slices.Sorted(maps.Keys(fields))
	if len(names) > 12 {
		return strings.Join(names[:12], ", ") + " and others"
	}
	return strings.Join(names, ", ")
}

// fits reports whether a scalar is of a type. What YAML takes for something else than
// text is still one where text is wanted, but for a number or a truth value.
func fits(kind string, n *yaml.Node) bool {
	switch kind {
	case "string":
		return n.Tag == "!!str" || n.Tag == "!!timestamp"
	case "int":
		return n.Tag == "!!int"
	case "number":
		return n.Tag == "!!int" || n.Tag == "!!float"
	case "bool":
		return n.Tag == "!!bool"
	}
	return true
}

func a(kind string) string {
	return map[string]string{"string": "text", "int": "a whole number", "number": "a number", "bool": "true or false"}[kind]
}

func hintOfType(kind string) string {
	if kind == "string" {
		return "put it between quotation marks"
	}
	return "write it without quotation marks"
}

func shape(v value) string {
	switch v.node.Kind {
	case yaml.MappingNode:
		return "mapping"
	case yaml.SequenceNode:
		return "list"
	case yaml.ScalarNode, yaml.DocumentNode, yaml.AliasNode:
	}
	return "single value"
}

// short is a text of the file's in a message.
func short(s string) string {
	const most = 60
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
