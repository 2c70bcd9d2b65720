// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"fmt"
	"maps"
)

// runtimeName is the name under which the wrapper is known to dockerd.
const runtimeName = "testbed"

// daemonPlan is how dockerd is started: its flags and, where flags would clash
// with the user's own daemon.json, a merged copy of that file to use instead.
// The user's file itself is never written.
type daemonPlan struct {
	Flags  []string
	Config []byte
}

// planDaemon decides the start of dockerd. wrapper is empty where no wrapper is
// needed; userConfig is the content of daemon.json, or nothing. dockerd refuses
// to start when the same setting stands in a flag and in the file, which is why
// such a file is merged rather than overridden.
func planDaemon(userConfig []byte, wrapper, mergedPath string) (daemonPlan, error) {
	if wrapper == "" {
		return daemonPlan{}, nil
	}
	settings := map[string]any{}
	if len(userConfig) > 0 {
		if err := json.Unmarshal(userConfig, &settings); err != nil {
			return daemonPlan{}, fmt.Errorf("parse daemon.json: %w", err)
		}
	}
	_, hasDefault := settings["default-runtime"]
	known, hasRuntimes := settings["runtimes"].(map[string]any)
	if !hasDefault && !hasRuntimes {
		return daemonPlan{Flags: []string{
			"--add-runtime", runtimeName + "=" + wrapper,
			"--default-runtime", runtimeName,
		}}, nil
	}
	runtimes := map[string]any{}
	maps.Copy(runtimes, known)
	runtimes[runtimeName] = map[string]any{"path": wrapper}
	settings["runtimes"] = runtimes
	settings["default-runtime"] = runtimeName
	merged, err := json.MarshalIndent(settings, "", "  ")
	if err != nil {
		return daemonPlan{}, fmt.Errorf("encode merged daemon.json: %w", err)
	}
	return daemonPlan{Flags: []string{"--config-file", mergedPath}, Config: merged}, nil
}
