// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second Ctrl-C is not waited for.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:]))
}

// run runs the stages that are named, or all.
func run(ctx context.Context, names []string) int {
	chosen := chosen(stages(), names, os.Getenv("E2E") == "off")
	if len(chosen) == 0 {
		fmt.Fprintf(os.Stderr, "there is no stage %s\n", strings.Join(names, ", "))
		return 2
	}
	if os.Getenv("E2E") == "off" {
		_, _ = fmt.Fprint(os.Stderr, notTested)
	}
	begun := time.Now()
	r := &runner{out: os.Stdout, dir: "bin/log", grace: 2 * time.Minute, beat: time.Minute}
	results, err := r.run(ctx, chosen)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if !report(os.Stdout, results, time.Since(begun)) {
		return 1
	}
	return 0
}

const notTested = `############################################################
# NOT TESTED: E2E=off. No real kubelet was touched: nothing
# is known about join, drain, inspect, remove on a node.
############################################################
`

// chosen are the stages of this run.
func chosen(all []stage, names []string, noCluster bool) []stage {
	return slices.DeleteFunc(all, func(s stage) bool {
		return noCluster && s.cluster || len(names) > 0 && !slices.Contains(names, s.name)
	})
}
