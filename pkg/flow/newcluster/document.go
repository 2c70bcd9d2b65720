// SPDX-License-Identifier: Apache-2.0

package newcluster

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	yamlreader "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// document is one object of a configuration.
type document map[string]any

// split decodes the documents of a file.
func split(raw []byte) (all []document, err error) {
	if len(raw) > MostOfConfig {
		return nil, fmt.Errorf("the configuration has more than %d bytes", MostOfConfig)
	}
	reader := yamlreader.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw)))
	seen := map[string]bool{}
	for {
		one, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		var d document
		if err == nil {
			err = yaml.UnmarshalStrict(one, &d)
		}
		if err != nil {
			return nil, fmt.Errorf("read the configuration: %w", err)
		}
		if d == nil {
			continue
		}
		kind, _ := d["kind"].(string)
		if len(all) >= mostDocuments || kind == "" || seen[kind] {
			return nil, fmt.Errorf("the configuration has a document without a kind, two of one kind, or more than %d: %q", mostDocuments, kind)
		}
		seen[kind] = true
		all = append(all, d)
	}
}

// find returns the document of a kind, which is made if there is none.
func find(all *[]document, kind string) document {
	for _, d := range *all {
		if d["kind"] == kind {
			return d
		}
	}
	made := document{"apiVersion": kubeadmAPI, "kind": kind}
	*all = append(*all, made)
	return made
}

// part is a map below a document.
func part(d document, name string) document {
	if there, is := d[name].(map[string]any); is {
		return there
	}
	made := map[string]any{}
	d[name] = made
	return made
}

func set(d document, name, value, flag string) error {
	there, _ := d[name].(string)
	switch {
	case value == "":
	case there != "" && there != value:
		return fmt.Errorf("%s %s contradicts the configuration, which has %s: %s", flag, value, name, there)
	default:
		d[name] = value
	}
	return nil
}

func setDefault(d document, name, value string) {
	if there, _ := d[name].(string); there == "" {
		d[name] = value
	}
}

// socket is a path of a CRI as kubeadm writes it.
func socket(path string) string {
	if path == "" {
		return ""
	}
	return "unix://" + strings.TrimPrefix(path, "unix://")
}

// AssumesEndpoint reports whether the host's own address would be the endpoint.
func AssumesEndpoint(all []json.RawMessage) bool {
	var d struct {
		Endpoint string `json:"controlPlaneEndpoint"`
	}
	for _, raw := range all {
		if json.Unmarshal(raw, &d) == nil && d.Endpoint != "" {
			return false
		}
	}
	return true
}

// Shown is a configuration for a person. A secret in it is not shown.
func Shown(all []json.RawMessage) (string, error) {
	var out strings.Builder
	for _, raw := range all {
		var d document
		if err := json.Unmarshal(raw, &d); err != nil {
			return "", err
		}
		hide(map[string]any(d))
		text, err := yaml.Marshal(d)
		if err != nil {
			return "", fmt.Errorf("encode the configuration: %w", err)
		}
		out.WriteString("---\n" + string(text))
	}
	return out.String(), nil
}

// hide replaces what opens a cluster, at any depth: a token is also in the discovery of a
// JoinConfiguration, which a file may hold as well.
func hide(part any) {
	switch p := part.(type) {
	case []any:
		for _, one := range p {
			hide(one)
		}
	case map[string]any:
		for name, value := range p {
			switch name {
			case "token", "tlsBootstrapToken", "certificateKey":
				p[name] = "(not shown)"
			default:
				hide(value)
			}
		}
	}
}
