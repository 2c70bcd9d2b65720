// SPDX-License-Identifier: Apache-2.0

package part

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// unitFile is what a unit of systemd's and its drop-ins say of how a service is
// started, as far as it matters here (systemd.exec(5), systemd.service(5)).
type unitFile struct {
	// environment is what the unit sets itself, and loaded what files of variables set,
	// which is stronger.
	environment, loaded map[string]string
	// commands are the lines of ExecStart.
	commands []string
	// unknown are variables whose values the unit does not tell.
	unknown []string
	// elsewhere is the setting by which the service sees another root directory than the
	// host's, or starts in another directory; empty if there is none.
	elsewhere string
	// damaged is why a part of the unit could not be read.
	damaged error
}

// add reads one more file of the unit; the later one counts. Read reads a file of
// environment variables; one that does not exist is empty.
func (u *unitFile) add(text string, read func(path string) (string, error)) {
	if u.environment == nil {
		u.environment, u.loaded = map[string]string{}, map[string]string{}
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
		u.set(strings.TrimSpace(key), strings.TrimSpace(value), read)
	}
}

// set is one setting of the service. An empty one takes back those before it.
func (u *unitFile) set(key, value string, read func(path string) (string, error)) {
	switch key {
	case "Environment":
		if value == "" {
			clear(u.environment)
		}
		for _, word := range words(value) {
			name, value, is := strings.Cut(word, "=")
			if !is {
				continue
			}
			plain, known := specified(value)
			if u.environment[name] = plain; !known {
				u.unknown = append(u.unknown, name)
			}
		}
	case "PassEnvironment":
		u.unknown = append(u.unknown, strings.Fields(value)...)
	case "EnvironmentFile":
		if value == "" {
			clear(u.loaded)
			return
		}
		path, known := specified(strings.TrimPrefix(value, "-"))
		text, err := read(path)
		if !known {
			err = fmt.Errorf("its EnvironmentFile %s is known to systemd alone", value)
		}
		u.damaged = errors.Join(u.damaged, err)
		u.addEnvironment(text)
	case "ExecStart":
		if value == "" {
			u.commands = nil
			return
		}
		u.commands = append(u.commands, value)
	case "RootDirectory", "RootImage", "WorkingDirectory":
		if value = strings.TrimLeft(value, "-"); value != "" && value != "/" {
			u.elsewhere = key + "=" + value
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
		u.loaded[strings.TrimSpace(name)] = value
	}
}

// value is that of a variable, and whether the unit tells it. One that is not set is
// empty.
func (u *unitFile) value(name string) (value string, known bool) {
	if value, is := u.loaded[name]; is {
		return value, true
	}
	return u.environment[name], !slices.Contains(u.unknown, name)
}

// arguments are those with which the unit starts a program of some name; none if it
// starts nothing at all. What only a script or systemd itself knows is an error.
func (u *unitFile) arguments(program string) ([]string, error) {
	var out []string
	var unread error
	found := false
	for _, command := range u.commands {
		argv, err := u.startOf(program, words(strings.TrimLeft(command, "@-:+!|")))
		if err != nil {
			unread = err
			continue
		}
		found = true
		out = append(out, argv...)
	}
	switch {
	case u.damaged != nil:
		return nil, u.damaged
	case !found:
		return nil, unread
	}
	if err := u.sound(out); err != nil {
		return nil, err
	}
	return out, nil
}

// specified is a value with those of systemd's specifiers that are the same on every
// host, for a service of the system's that is no template (systemd.unit(5)). It reports
// false if there is another, which stays as it is.
func specified(value string) (plain string, known bool) {
	same := map[byte]string{
		'%': "%", 'S': "/var/lib", 'C': "/var/cache", 'L': "/var/log", 't': "/run", 'E': "/etc", 'h': "/root", 'T': "/tmp", 'V': "/var/tmp",
		'i': "", 'I': "", 'u': "root", 'U': "0", 'g': "root", 'G': "0",
	}
	var out strings.Builder
	known = true
	for i := 0; i < len(value); i++ {
		if value[i] != '%' || i+1 == len(value) {
			out.WriteByte(value[i])
			continue
		}
		i++
		said, is := same[value[i]]
		if !is {
			said, known = value[i-1:i+1], false
		}
		out.WriteString(said)
	}
	return out.String(), known
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
