// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// The bounds of what is read. A file of a person's has some hundred lines.
const (
	MostBytes     = 1 << 20
	mostDocuments = 32
	mostNodes     = 50_000 // with aliases followed: a file of ten lines may mean a billion
	mostDepth     = 64
)

// value is a value of a document with its path; the zero value is one that is not there.
type value struct {
	node *yaml.Node
	path string
}

func (v value) there() bool { return v.node != nil && v.node.Tag != "!!null" }

func (v value) line() int {
	if v.node == nil {
		return 0
	}
	return v.node.Line
}

// get is a field of a mapping.
func (v value) get(name string) value {
	if v.node == nil || v.node.Kind != yaml.MappingNode {
		return value{}
	}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		if v.node.Content[i].Value == name {
			return value{resolve(v.node.Content[i+1]), join(v.path, name)}
		}
	}
	return value{}
}

// field is one of a mapping's.
type field struct {
	key   value
	value value
}

// fields are those of a mapping, in their order.
func (v value) fields() (all []field) {
	if v.node == nil || v.node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		path := join(v.path, v.node.Content[i].Value)
		all = append(all, field{value{v.node.Content[i], path}, value{resolve(v.node.Content[i+1]), path}})
	}
	return all
}

// items are those of a list.
func (v value) items() (all []value) {
	if v.node == nil || v.node.Kind != yaml.SequenceNode {
		return nil
	}
	for i, n := range v.node.Content {
		all = append(all, value{resolve(n), v.path + "[" + strconv.Itoa(i) + "]"})
	}
	return all
}

// text is a scalar; empty for everything else.
func (v value) text() string {
	if v.node == nil || v.node.Kind != yaml.ScalarNode || v.node.Tag == "!!null" {
		return ""
	}
	return v.node.Value
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// resolve follows an alias; that it ends somewhere was seen when the file was read.
func resolve(n *yaml.Node) *yaml.Node {
	for range mostDepth {
		if n == nil || n.Kind != yaml.AliasNode {
			return n
		}
		n = n.Alias
	}
	return nil
}

// read decodes the documents, as far as they can be.
func (l *linter) read(raw []byte) {
	refuse := func(line int, text, wayOut string) {
		l.found = append(l.found, Finding{ID: NoYAML, Severity: Blocks, Line: line, Text: text, WayOut: wayOut})
	}
	switch {
	case len(raw) > MostBytes:
		refuse(0, fmt.Sprintf("the file has more than %d bytes; a configuration has some thousand", MostBytes), "is it the right file?")
		return
	case !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0:
		refuse(0, "the file is not text in UTF-8", "save it as UTF-8")
		return
	}
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	for {
		var n yaml.Node
		err := decoder.Decode(&n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			refuse(lineOf(err), "the file is not YAML: "+strings.TrimPrefix(err.Error(), "yaml: "),
				"see the line, and the indentation of the one before")
			return
		}
		if n.Kind != yaml.DocumentNode || len(n.Content) != 1 || n.Content[0].Tag == "!!null" {
			continue // an empty document
		}
		budget := mostNodes
		if !bounded(n.Content[0], mostDepth, &budget) {
			refuse(n.Line, "the document means more than any configuration does, by its aliases or its depth",
				"write it without anchors (&) and aliases (*)")
			return
		}
		if len(l.documents) >= mostDocuments {
			refuse(n.Line, fmt.Sprintf("the file has more than %d documents", mostDocuments), "is it the right file?")
			return
		}
		l.documents = append(l.documents, value{node: n.Content[0]})
	}
	if len(l.documents) == 0 {
		refuse(0, "the file holds no document", "is it the right file?")
	}
}

// bounded reports whether a document is small, with its aliases followed.
func bounded(n *yaml.Node, depth int, budget *int) bool {
	if *budget--; *budget < 0 || depth < 0 {
		return false
	}
	if n.Kind == yaml.AliasNode {
		return n.Alias != nil && bounded(n.Alias, depth-1, budget)
	}
	for _, c := range n.Content {
		if !bounded(c, depth-1, budget) {
			return false
		}
	}
	return true
}

// lineOf is the line that a parser's error names.
func lineOf(err error) int {
	found := regexp.MustCompile(`line (\d{1,9})`).FindStringSubmatch(err.Error())
	if found == nil {
		return 0
	}
	n, _ := strconv.Atoi(found[1])
	return n
}
