// SPDX-License-Identifier: Apache-2.0

// Command oci-runtime is runc without CAP_SYS_RESOURCE. Some sandboxes take
// that capability out of the bounding set of every process; a privileged
// container that asks for all capabilities then fails to start with "unable to
// apply caps". This wrapper deletes the one capability from what the engine
// asks for and becomes runc. The test bed registers it only where the
// capability is missing.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

const dropped = "CAP_SYS_RESOURCE"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "oci-runtime:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	// A bundle is a directory that holds the container's config.json; a
	// process file (of exec) is the process part of such a file alone.
	if bundle := flagValue(args, "--bundle", "-b"); bundle != "" {
		if err := rewrite(filepath.Join(bundle, "config.json"), "process"); err != nil {
			return err
		}
	}
	if process := flagValue(args, "--process", "-p"); process != "" {
		if err := rewrite(process, ""); err != nil {
			return err
		}
	}
	runc, err := findRunc()
	if err != nil {
		return err
	}
	return syscall.Exec(runc, append([]string{"runc"}, args...), os.Environ())
}

// flagValue finds "--long value", "--long=value" and the short forms.
func flagValue(args []string, names ...string) string {
	for i, arg := range args {
		for _, name := range names {
			if value, ok := strings.CutPrefix(arg, name+"="); ok {
				return value
			}
			if arg == name && i+1 < len(args) {
				return args[i+1]
			}
		}
	}
	return ""
}

func findRunc() (string, error) {
	if path, err := exec.LookPath("runc"); err == nil {
		return path, nil
	}
	for _, path := range []string{"/usr/sbin/runc", "/usr/bin/runc", "/usr/local/sbin/runc"} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("find runc: not in PATH nor in the usual places")
}

// rewrite removes the capability from the JSON file. key names the member that
// holds the process; empty means that the file itself is one.
func rewrite(path, key string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	out, err := strip(raw, key)
	if err != nil {
		return fmt.Errorf("rewrite %s: %w", path, err)
	}
	if err := os.WriteFile(path, out, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// strip is rewrite without the file. Numbers are kept as they are written:
// resource limits do not fit into a float64.
func strip(raw []byte, key string) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var document map[string]any
	if err := decoder.Decode(&document); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	process := document
	if key != "" {
		process, _ = document[key].(map[string]any)
	}
	sets, _ := process["capabilities"].(map[string]any)
	for name, value := range sets {
		list, ok := value.([]any)
		if !ok {
			continue
		}
		kept := make([]any, 0, len(list))
		for _, capability := range list {
			if capability != dropped {
				kept = append(kept, capability)
			}
		}
		sets[name] = kept
	}
	out, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return out, nil
}
