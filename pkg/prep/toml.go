// SPDX-License-Identifier: Apache-2.0

package prep

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// form is where settings are in one version of containerd's configuration.
type form struct {
	options, sandbox, registry []string
	sandboxKey                 string
}

// formOf knows versions 2, 3 and 4 (containerd 1.2, 2.0 and 2.3). Version 1 has other
// names for everything, and containerd migrates it.
func formOf(config string) (form, error) {
	doc, err := decoded(config)
	if err != nil {
		return form{}, err
	}
	version, _ := doc["version"].(int64)
	switch version {
	case 2:
		cri := []string{"plugins", "io.containerd.grpc.v1.cri"}
		return form{options: path(cri, "containerd", "runtimes", "runc", "options"), sandbox: cri, registry: path(cri, "registry"),
			sandboxKey: "sandbox_image"}, nil
	case 3, 4:
		images := []string{"plugins", "io.containerd.cri.v1.images"}
		return form{options: []string{"plugins", "io.containerd.cri.v1.runtime", "containerd", "runtimes", "runc", "options"},
			sandbox: path(images, "pinned_images"), registry: path(images, "registry"), sandboxKey: "sandbox"}, nil
	}
	return form{}, fmt.Errorf("its version is %d, and 2, 3 and 4 are known (see: containerd config migrate)", version)
}

// decoded parses a configuration. A key in letters of another case is an error: what
// reads TOML into structures, as containerd does, takes "Plugins" for "plugins", and of
// two that differ in nothing else any one.
func decoded(config string) (map[string]any, error) {
	var doc map[string]any
	if _, err := toml.Decode(config, &doc); err != nil {
		return nil, fmt.Errorf("it does not parse: %w", err)
	}
	return doc, inKnownLetters(doc)
}

// inKnownLetters is an error if a key of a table, or of one in it, is a known one but for
// the case of its letters.
func inKnownLetters(table map[string]any) error {
	for key, value := range table {
		for _, known := range []string{"version", "disabled_plugins", "plugins", "containerd", "runtimes", "options", "SystemdCgroup",
			"sandbox_image", "pinned_images", "registry", "config_path", "mirrors", "configs"} {
			if key != known && strings.EqualFold(key, known) {
				return fmt.Errorf("its key %q is written %s", key, known)
			}
		}
		if inner, isTable := value.(map[string]any); isTable {
			if err := inKnownLetters(inner); err != nil {
				return err
			}
		}
	}
	return nil
}

func path(table []string, more ...string) []string { return append(slices.Clone(table), more...) }

// set sets a key of a table to a value in TOML: in its line, in its table, or in a
// table that is added at the end. All other lines stay as they are.
func (form) set(text string, table []string, key, value string) string {
	lines := strings.Split(text, "\n")
	start := slices.IndexFunc(lines, func(line string) bool { return slices.Equal(tableOf(line), table) })
	if start < 0 {
		return strings.TrimRight(text, "\n") + "\n\n[" + header(table) + "]\n  " + key + " = " + value + "\n"
	}
	indent := "  "
	for i := start + 1; i < len(lines) && tableOf(lines[i]) == nil; i++ {
		name, _, isSetting := strings.Cut(lines[i], "=")
		if isSetting && strings.Trim(strings.TrimSpace(name), `"'`) == key {
			indent = name[:len(name)-len(strings.TrimLeft(name, " \t"))]
			lines[i] = indent + key + " = " + value
			return strings.Join(lines, "\n")
		}
	}
	head := lines[start]
	indent = head[:len(head)-len(strings.TrimLeft(head, " \t"))] + indent
	return strings.Join(slices.Insert(lines, start+1, indent+key+" = "+value), "\n")
}

// tableOf is the name of the table whose header a line is; nil if it is none.
func tableOf(line string) []string {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "[") || strings.HasPrefix(line, "[[") {
		return nil
	}
	var doc map[string]any
	if _, err := toml.Decode(line+"\n", &doc); err != nil {
		return nil
	}
	var name []string
	for len(doc) == 1 {
		for key, inner := range doc {
			name = append(name, key)
			doc, _ = inner.(map[string]any)
		}
	}
	return name
}

// header writes a table's name; parts that are no bare keys are quoted.
func header(table []string) string {
	var parts []string
	for _, p := range table {
		if strings.Trim(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			p = quoted(p)
		}
		parts = append(parts, p)
	}
	return strings.Join(parts, ".")
}

func quoted(s string) string { return strconv.Quote(s) }

// withoutDisabled takes plugins out of disabled_plugins, which stands before the first
// table.
func withoutDisabled(text string, goes func(name string) bool) (string, error) {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if tableOf(line) != nil {
			break
		}
		name, _, isSetting := strings.Cut(line, "=")
		if !isSetting || strings.TrimSpace(name) != "disabled_plugins" {
			continue
		}
		for end := i; end < min(len(lines), i+64); end++ {
			var head struct {
				Disabled []string `toml:"disabled_plugins"`
			}
			if _, err := toml.Decode(strings.Join(lines[i:end+1], "\n"), &head); err != nil {
				continue // the list goes on in the next line
			}
			var kept []string
			for _, plugin := range head.Disabled {
				if !goes(plugin) {
					kept = append(kept, quoted(plugin))
				}
			}
			if len(kept) == len(head.Disabled) {
				return text, nil
			}
			return strings.Join(slices.Replace(lines, i, end+1, "disabled_plugins = ["+strings.Join(kept, ", ")+"]"), "\n"), nil
		}
		return "", errors.New("the list disabled_plugins is not understood")
	}
	return text, nil
}

// ReadEffective reads what "containerd config dump" prints.
func ReadEffective(dump string) (*Effective, error) {
	doc, err := decoded(dump)
	if err != nil {
		return nil, fmt.Errorf("read containerd's configuration: %w", err)
	}
	plugins, _ := doc["plugins"].(map[string]any)
	e := &Effective{}
	e.Format, _ = doc["version"].(int64)
	disabled, _ := doc["disabled_plugins"].([]any)
	for _, plugin := range disabled {
		if name, isText := plugin.(string); isText {
			e.Disabled = append(e.Disabled, name)
		}
	}
	old, runtime, images := "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime", "io.containerd.cri.v1.images"
	for _, plugin := range []string{old, runtime} {
		if on, known := at(plugins, plugin, "containerd", "runtimes", "runc", "options", "SystemdCgroup").(bool); known {
			e.CgroupDriver = map[bool]string{true: "systemd", false: "cgroupfs"}[on]
		}
	}
	e.SandboxImage = word(at(plugins, old, "sandbox_image"), at(plugins, images, "pinned_images", "sandbox"))
	e.Registries = word(at(plugins, old, "registry", "config_path"), at(plugins, images, "registry", "config_path"))
	for _, plugin := range []string{old, images} {
		e.Inline = e.Inline || inline(at(plugins, plugin, "registry"))
	}
	return e, nil
}

// inline reports whether a table of registries has settings that containerd does not
// take beside config_path: mirrors, and TLS of a registry.
func inline(registry any) bool {
	table, _ := registry.(map[string]any)
	if mirrors, _ := table["mirrors"].(map[string]any); len(mirrors) > 0 {
		return true
	}
	configs, _ := table["configs"].(map[string]any)
	for _, one := range configs {
		if tls := at(map[string]any{"": one}, "", "tls"); tls != nil {
			return true
		}
	}
	return false
}

// at follows keys into a tree; nil if there is nothing.
func at(tree map[string]any, keys ...string) any {
	var here any = tree
	for _, key := range keys {
		inner, isTable := here.(map[string]any)
		if !isTable {
			return nil
		}
		here = inner[key]
	}
	return here
}

// word is the first that is a text and not empty.
func word(values ...any) string {
	for _, v := range values {
		if s, isText := v.(string); isText && s != "" {
			return s
		}
	}
	return ""
}
