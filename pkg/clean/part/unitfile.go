// SPDX-License-Identifier: Apache-2.0

package part

import (
	"path/filepath"
	"regexp"
	"strings"
)

// unitFile is what a unit of systemd's and its drop-ins say of how a service is
// started, as far as it matters here (systemd.exec(5), systemd.service(5)).
type unitFile struct {
	environment map[string]string
	// commands are the lines of ExecStart.
	commands []string
}

// add reads one more file of the unit; the later one counts. Read reads a file of
// environment variables.
func (u *unitFile) add(text string, read func(path string) string) {
	if u.environment == nil {
		u.environment = map[string]string{}
	}
	section := ""
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
		}
		key, value, is := strings.Cut(line, "=")
		if !is || section != "[Service]" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "Environment":
			for _, word := range words(value) {
				if name, value, is := strings.Cut(word, "="); is {
					u.environment[name] = value
				}
			}
		case "EnvironmentFile":
			u.addEnvironment(read(strings.TrimPrefix(value, "-")))
		case "ExecStart":
			if value == "" {
				u.commands = nil
				continue
			}
			u.commands = append(u.commands, value)
		}
	}
}

// addEnvironment reads a file of environment variables.
func (u *unitFile) addEnvironment(text string) {
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		line = strings.TrimSpace(line)
		name, value, is := strings.Cut(line, "=")
		if !is || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		value = strings.TrimSpace(value)
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(value[1 : n-1])
		}
		u.environment[strings.TrimSpace(name)] = value
	}
}

// arguments are those with which the unit starts a program of some name.
func (u *unitFile) arguments(program string) []string {
	var out []string
	variable := regexp.MustCompile(`\$\{[A-Za-z0-9_]+\}`)
	for _, command := range u.commands {
		argv := words(strings.TrimLeft(command, "@-:+!"))
		if len(argv) == 0 || filepath.Base(argv[0]) != program {
			continue
		}
		for _, word := range argv[1:] {
			if name, is := strings.CutPrefix(word, "$"); is && !strings.HasPrefix(name, "{") {
				out = append(out, words(u.environment[name])...)
				continue
			}
			out = append(out, variable.ReplaceAllStringFunc(word, func(name string) string { return u.environment[name[2:len(name)-1]] }))
		}
	}
	return out
}

// words splits a line at white space, except within quotes.
func words(line string) []string {
	var out []string
	var word strings.Builder
	quote, open := rune(0), false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, open = r, true
		case quote == 0 && (r == ' ' || r == '\t' || r == '\n'):
			if open {
				out = append(out, word.String())
			}
			word.Reset()
			open = false
		default:
			open = true
			word.WriteRune(r)
		}
	}
	if open {
		out = append(out, word.String())
	}
	return out
}
