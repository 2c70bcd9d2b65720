// SPDX-License-Identifier: Apache-2.0

// Command stages runs the stages of "make test": what waits beside what
// computes, each with an output of its own. It prints the output of a stage when
// the stage has ended, then a table of the times against the budget, and last
// what failed.
package main

import "time"

// stage is one command of the whole test.
type stage struct {
	name string
	// does says in a few words what the stage is for.
	does    string
	command []string
	// needs are the stages without whose success this one makes no sense, after
	// those that it only lets go first.
	needs, after []string
	// nice is the stage's priority: what computes gives way to what waits, since a
	// cluster that is late looks like one that is broken.
	nice int
	// warm and cold are the budgets: with everything built before, and with nothing.
	warm, cold time.Duration
	// limit ends a stage that hangs. It is generous: a machine may be slow.
	limit time.Duration
	// cluster is set where Docker and root are needed: E2E=off leaves it out.
	cluster bool
}

// The budget of the whole run on two quiet cores: 25 and 45 minutes for the circle of drain,
// join, remove and move, and 35 and 60 with the four verbs that come to it. Three of those
// are there (networks, preparing and joining, certificates); the rest is the upgrade's.
const (
	wholeWarm = 32 * time.Minute
	wholeCold = 55 * time.Minute
)

// testbedStage is the one that shows whether the run is cold: it builds Kubernetes.
const testbedStage = "testbed"

// stages are all of them. CONTRIBUTING.md has the same table for people.
func stages() []stage {
	const minute = time.Minute
	return []stage{
		{name: "build", does: "the plugin with the node program inside", command: []string{"make", "build"},
			warm: minute, cold: 4 * minute, limit: 30 * minute},
		{name: testbedStage, does: "Kubernetes and the node image, from source", command: []string{"hack/e2e.sh", "build"},
			after: []string{"build"}, warm: minute, cold: 18 * minute, limit: 60 * minute, cluster: true},
		{name: "story-1", does: "the story on real nodes: from no network to removals of every kind", command: []string{"hack/e2e.sh", "story-1"},
			needs: []string{"build", testbedStage}, warm: 22 * minute, cold: 24 * minute, limit: 70 * minute, cluster: true},
		{name: "story-2", does: "the same on a second cluster: networks that leave, faults, moves, control planes, lost nodes",
			command: []string{"hack/e2e.sh", "story-2"},
			needs:   []string{"build", testbedStage}, warm: 25 * minute, cold: 27 * minute, limit: 70 * minute, cluster: true},
		{name: "unit", does: "everything that needs no cluster", command: []string{"hack/unit.sh"}, nice: 5,
			after: []string{testbedStage}, warm: 22 * minute, cold: 30 * minute, limit: 60 * minute},
		{name: "control", does: "drains of many pods, on a control plane without nodes", command: []string{"hack/e2e.sh", "control"},
			needs: []string{"build", testbedStage}, after: []string{"unit"}, warm: 6 * minute, cold: 8 * minute, limit: 50 * minute, cluster: true},
		{name: "lint", does: "style, and known vulnerabilities", command: []string{"hack/lint.sh"}, nice: 10,
			after: []string{testbedStage}, warm: 12 * minute, cold: 28 * minute, limit: 60 * minute},
	}
}

// leftOut is what "make test" does not do, with the command that does.
const leftOut = "left out, because it is slow and seldom fails: make e2e-full (drains of thousands of pods, all draws of the oracles), " +
	"make chaos, make vm, make fuzz"
