// SPDX-License-Identifier: Apache-2.0

package hack_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestWorkflowsRunWhatAPersonRuns: a workflow is read by no machine here, so it is kept to
// what is: targets of the Makefile, and the one command that uploads a release.
func TestWorkflowsRunWhatAPersonRuns(t *testing.T) {
	makefile := read(t, "../Makefile")
	var ran []string
	files, err := filepath.Glob("../.github/workflows/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, path := range files {
		var flow struct {
			Permissions map[string]string `json:"permissions"`
			Jobs        map[string]struct {
				Steps []struct {
					Run string `json:"run"`
				} `json:"steps"`
			} `json:"jobs"`
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(raw, &flow); err != nil || len(flow.Permissions) == 0 {
			t.Errorf("%s: %v, or it does not bound its permissions", path, err)
		}
		for name, job := range flow.Jobs {
			for _, step := range job.Steps {
				target := regexp.MustCompile(`(?:^|" )make ([a-z-]+)`).FindStringSubmatch(step.Run)
				switch {
				case step.Run == "" || strings.HasPrefix(step.Run, "gh release create "):
				case target == nil || !strings.Contains(makefile, "\n"+target[1]+":"):
					t.Errorf("%s, job %s runs %q, which no target of the Makefile is", path, name, step.Run)
				default:
					ran = append(ran, target[1])
				}
			}
		}
	}
	for _, target := range []string{"lint", "test", "release", "release-test"} {
		if !slices.Contains(ran, target) {
			t.Errorf("no workflow runs make %s", target)
		}
	}
}

// TestIssueTemplatesAreForms: each is YAML with a name and a body.
func TestIssueTemplatesAreForms(t *testing.T) {
	files, err := filepath.Glob("../.github/ISSUE_TEMPLATE/*.yml")
	if err != nil || len(files) < 3 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, path := range files {
		var form struct {
			Name, Description string
			Body              []struct{ Type string }
		}
		if err := yaml.Unmarshal([]byte(read(t, path)), &form); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if filepath.Base(path) != "config.yml" && (form.Name == "" || form.Description == "" || len(form.Body) == 0) {
			t.Errorf("%s is no form: %+v", path, form)
		}
	}
}
