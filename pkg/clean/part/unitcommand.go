// SPDX-License-Identifier: Apache-2.0

package part

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// startOf are the arguments of a program in a command that starts it: at once, by a
// program that only passes them on, or by a shell that is told nothing more.
func (u *unitFile) startOf(program string, argv []string) ([]string, error) {
	if len(argv) == 0 {
		return nil, errors.New("its command is empty")
	}
	at := slices.IndexFunc(argv, func(word string) bool { return filepath.Base(word) == program })
	shell := slices.Contains([]string{"sh", "bash", "dash"}, filepath.Base(argv[0]))
	switch {
	case at == 0, at > 0 && passesOn(argv[:at]):
		return u.expanded(argv[at+1:])
	case shell && len(argv) == 3 && slices.Contains([]string{"-c", "-ec"}, argv[1]):
		line := shellWords(argv[2])
		if len(line) > 0 && line[0] == "exec" {
			line = line[1:]
		}
		if len(line) > 0 && filepath.Base(line[0]) == program {
			out, err := u.expanded(line[1:])
			if err != nil || plainToShell(strings.Join(out, " ")) {
				return out, err
			}
		}
	}
	return nil, fmt.Errorf("its unit starts %s, and what that makes of it is not known", argv[0])
}

// passesOn reports whether the words before a program's are one that starts it just as
// it is told.
func passesOn(words []string) bool {
	known := []string{"env", "nice", "ionice", "chrt", "taskset", "numactl", "stdbuf", "systemd-cat", "systemd-inhibit", "setsid", "nohup"}
	return slices.Contains(known, filepath.Base(words[0])) && !slices.ContainsFunc(words, func(word string) bool {
		return strings.HasPrefix(word, "-C") || strings.HasPrefix(word, "--chdir") || strings.HasPrefix(word, "-S") ||
			strings.HasPrefix(word, "--split-string")
	})
}

// plainToShell reports whether a shell takes a text for nothing but words.
func plainToShell(text string) bool {
	return regexp.MustCompile(`^[A-Za-z0-9_./:=,@%+ \t-]*$`).MatchString(text)
}

// shellWords are the words of a shell's line, with variables as a unit writes them; none
// if it does anything but start one program. "$$" is how a unit writes a "$" for the shell.
func shellWords(line string) []string {
	line = strings.ReplaceAll(line, "$$", "$")
	variable := regexp.MustCompile(`\$(\{[A-Za-z_][A-Za-z0-9_]*\}|[A-Za-z_][A-Za-z0-9_]*)`)
	if !plainToShell(strings.ReplaceAll(variable.ReplaceAllString(line, ""), `"`, "")) {
		return nil
	}
	line = variable.ReplaceAllStringFunc(line, func(name string) string { return "${" + strings.Trim(name, "${}") + "}" })
	for alone := regexp.MustCompile(`(^|[ \t])\$\{([A-Za-z0-9_]+)\}($|[ \t])`); alone.MatchString(line); {
		line = alone.ReplaceAllString(line, "$1$$$2$3") // split, unless it is part of a word or quoted
	}
	return words(line)
}

// expanded are words with the values of the variables in them. A word that is one
// variable and not in braces is split.
func (u *unitFile) expanded(argv []string) ([]string, error) {
	var out []string
	variable := regexp.MustCompile(`\$\{[A-Za-z0-9_]+\}`)
	for i, word := range argv {
		flag, _, _ := strings.Cut(word, "=")
		place := slices.Contains(placeFlags(), flag) || i > 0 && slices.Contains(placeFlags(), argv[i-1])
		var untold error
		value := func(name string) string {
			value, known := u.value(name)
			if (!known || place && value == "") && (place || strings.HasPrefix(word, "$")) {
				untold = fmt.Errorf("its unit has arguments in $%s, and does not tell what that is", name)
			}
			return value
		}
		if name, is := strings.CutPrefix(word, "$"); is && !strings.HasPrefix(name, "{") {
			out = append(out, words(value(name))...)
		} else {
			plain, _ := specified(word) // what stays of it is seen in the end
			out = append(out, variable.ReplaceAllStringFunc(plain, func(name string) string { return value(name[2 : len(name)-1]) }))
		}
		if untold != nil {
			return nil, untold
		}
	}
	return out, nil
}

// sound returns an error if arguments name a place that only systemd, a shell or the
// service itself would find.
func (u *unitFile) sound(arguments []string) error {
	for i, argument := range arguments {
		name, value, given := strings.Cut(argument, "=")
		if !slices.Contains(placeFlags(), name) {
			continue
		}
		if !given && i+1 < len(arguments) {
			value = arguments[i+1]
		}
		switch {
		case strings.ContainsAny(value, "%$\\`\"'*? \t"):
			return fmt.Errorf("it is given %s=%s, which only systemd can expand", name, value)
		case u.elsewhere != "" && (!filepath.IsAbs(value) || strings.HasPrefix(u.elsewhere, "Root")):
			return fmt.Errorf("it is given %s=%s, which its unit's %s leads elsewhere", name, value, u.elsewhere)
		}
	}
	if strings.HasPrefix(u.elsewhere, "Root") {
		return fmt.Errorf("its unit has %s", u.elsewhere)
	}
	return nil
}
