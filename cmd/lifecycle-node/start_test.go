// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// Every moment at which the program may be started, and what it does then.
func TestWhatAStartDoesAtEveryMoment(t *testing.T) {
	for name, tc := range map[string]struct {
		moment moment
		want   next
	}{
		"nothing has begun": {moment{Returns: true, Record: underWay}, prepare},
		"nothing has begun, and the host has no credentials":         {moment{}, prepare},
		"begun, the kubelet is not held yet":                         {moment{Begun: true, Returns: true, Record: underWay}, goOn},
		"begun, not held, and no API server answers":                 {moment{Begun: true, Returns: true, Record: silent}, ask},
		"the same, and the record is gone":                           {moment{Begun: true, Returns: true, Record: missing}, back},
		"taken back, and the run could not leave: it says aborted":   {moment{Begun: true, Returns: true, Record: over}, back},
		"taken back, could not leave, and no API server answers":     {moment{Begun: true, Returns: true, Record: silent}, ask},
		"held, in the middle of the work":                            {moment{Begun: true, Held: true, Returns: true, Record: underWay}, goOn},
		"held, and no API server answers":                            {moment{Begun: true, Held: true, Returns: true, Record: silent}, goOn},
		"held, and the record was deleted by hand":                   {moment{Begun: true, Held: true, Returns: true, Record: missing}, back},
		"held, and it is to be taken back":                           {moment{Begun: true, Held: true, Returns: true, Record: takeBack}, back},
		"held, and the record says that it is over":                  {moment{Begun: true, Held: true, Returns: true, Record: over}, back},
		"the credentials are gone":                                   {moment{Begun: true, Held: true, Record: underWay}, goOn},
		"the credentials are gone, and so is the record":             {moment{Begun: true, Held: true, Record: missing}, goOn},
		"the credentials are gone, and it is to be taken back":       {moment{Begun: true, Held: true, Record: takeBack}, goOn},
		"the credentials are gone, the hold too, and nobody answers": {moment{Begun: true, Record: silent}, goOn},
		"the work is done, and not said yet":                         {moment{Begun: true, Done: true, Record: underWay}, tell},
		"the work is done, and the host has joined anew since":       {moment{Begun: true, Done: true, Returns: true, Record: missing}, tell},
		"the work is done, and nobody knows that it had begun":       {moment{Done: true}, tell},
		"joined, and not said yet":                                   {moment{Begun: true, Arrived: true, Record: underWay}, goOn},
		"joined, and the old cluster does not answer":                {moment{Begun: true, Arrived: true, Returns: true, Record: silent}, goOn},
		"joined, and the record is gone":                             {moment{Begun: true, Arrived: true, Returns: true, Record: missing}, goOn},
	} {
		if got := tc.moment.next(); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func TestWhatAnAnswerAboutTheRecordMeans(t *testing.T) {
	for name, tc := range map[string]struct {
		state wire.State
		err   error
		gone  bool
		want  tidings
	}{
		"it works":                       {wire.State{Phase: wire.Working}, nil, false, underWay},
		"it waits":                       {wire.State{Phase: wire.Waiting}, nil, false, underWay},
		"it waits, and is to go back":    {wire.State{Phase: wire.Waiting, Order: wire.Abort}, nil, false, takeBack},
		"it works, and is to go back":    {wire.State{Phase: wire.Working, Order: wire.Abort}, nil, false, takeBack},
		"it waits, and is to try again":  {wire.State{Phase: wire.Waiting, Order: wire.Retry}, nil, false, underWay},
		"it was taken back":              {wire.State{Phase: wire.Aborted}, nil, false, over},
		"it has ended":                   {wire.State{Phase: wire.Finished}, nil, false, over},
		"it leaves":                      {wire.State{Phase: wire.Leaving}, nil, false, over},
		"a server does not know it":      {wire.State{}, report.ErrGone, false, silent},
		"all servers do not, for a time": {wire.State{}, report.ErrGone, true, missing},
		"no server answers":              {wire.State{}, errors.New("refused"), false, silent},
	} {
		if got := tidingsOf(tc.state, tc.err, tc.gone); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}
