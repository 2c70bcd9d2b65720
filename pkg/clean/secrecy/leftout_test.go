// SPDX-License-Identifier: Apache-2.0

package secrecy

import (
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

func TestWhatIsLeftOutOfABackup(t *testing.T) {
	const key, auth, plain = "-----BEGIN PRIVATE KEY-----", `{"auths":{"r":{"auth":"x"}}}`, "kind: Pod"
	for _, tc := range []struct {
		name               string
		choices            inventory.Choices
		key, auth, nothing bool
	}{
		{"by default what opens the cluster", inventory.Choices{}, true, false, false},
		{"everything secret, if keys are not to be kept", inventory.Choices{NoKeys: true}, true, true, false},
		{"nothing, if there is no backup", inventory.Choices{NoBackup: true}, false, false, false},
		{"nothing, if keys are to be backed up", inventory.Choices{BackupKeys: true}, false, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for content, want := range map[string]bool{key: tc.key, auth: tc.auth, plain: tc.nothing} {
				if why := LeftOut(tc.choices, "/f", []byte(content)); (why != "") != want {
					t.Errorf("%q: %q", content, why)
				}
			}
		})
	}
}
