// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package reporttest is an API server for the tests of what reports to one.
package reporttest

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// Server is an API server with one record, and with the limits of a real one.
type Server struct {
	*httptest.Server
	Mu    sync.Mutex
	Data  map[string]string
	Most  int             // of the data, in bytes; zero is a real one's
	Down  bool            // it answers 503
	On    func(at string) // called with the phase after each request
	Asked int
	Large int // the largest patch
}

// New is one whose record is in a phase.
func New(t *testing.T, phase wire.Phase) *Server {
	t.Helper()
	s := &Server{Data: map[string]string{wire.KeyPhase: string(phase)}, On: func(string) {}}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP reads and patches the record.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	s.Mu.Lock()
	defer func() {
		at := s.Data[wire.KeyPhase]
		s.Mu.Unlock()
		s.On(at)
	}()
	s.Asked++
	if s.Down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if r.Method == http.MethodPatch {
		s.Large = max(s.Large, len(raw))
		var patch struct {
			StringData map[string]string `json:"stringData"`
		}
		_ = json.Unmarshal(raw, &patch)
		next, size := maps.Clone(s.Data), 0
		maps.Copy(next, patch.StringData)
		for _, value := range next {
			size += len(value)
		}
		if most := max(s.Most, 0); size > most && most > 0 || size > 1<<20 {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		s.Data = next
	}
	data := map[string][]byte{}
	for key, value := range s.Data {
		data[key] = []byte(value)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"metadata": map[string]string{"uid": "7"}, "data": data})
}

// Get is a key of the record.
func (s *Server) Get(key string) string {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	return s.Data[key]
}
