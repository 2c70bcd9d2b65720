// SPDX-License-Identifier: Apache-2.0

//go:build linux

package report

import (
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// server is an API server that gives one answer and keeps what it was asked.
func server(t *testing.T, status int, body string, asked *[]string) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		*asked = append(*asked, strings.Join([]string{r.Method, r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("Content-Type"),
			string(raw)}, " "))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s
}

func apiOf(t *testing.T, servers ...*httptest.Server) *API {
	t.Helper()
	spec := wire.Spec{Record: wire.Ref{Namespace: "ns", Name: "lifecycle-w", UID: "7"}}
	for _, s := range servers {
		spec.CA += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
		spec.Endpoints = append(spec.Endpoints, s.URL)
	}
	a, err := NewAPI(spec, "secret-token")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAnyAnswerOfAnyServerIsAWayToIt(t *testing.T) {
	var asked []string
	gone := server(t, 200, "", &asked)
	gone.Close()
	refuses := server(t, 401, "", &asked)
	if err := apiOf(t, gone, refuses).Reach(t.Context()); err != nil || len(asked) != 1 || !strings.HasPrefix(asked[0], "GET /version") {
		t.Errorf("%v, asked %v", err, asked)
	}
	if err := apiOf(t, gone).Reach(t.Context()); err == nil {
		t.Error("a server that is not there was reached")
	}
}

const record = `{"metadata":{"uid":"7"},"data":{"phase":"cmVhZHk=","order":"Z28="}}`

func TestTheRecordIsReadFromWhicheverServerAnswers(t *testing.T) {
	var broken, fine []string
	a := apiOf(t, server(t, 500, "", &broken), server(t, 200, record, &fine))
	state, err := a.Get(t.Context())
	if err != nil || state.Phase != wire.Ready || state.Order != wire.Go {
		t.Errorf("state %+v, error %v", state, err)
	}
	want := "GET /api/v1/namespaces/ns/secrets/lifecycle-w Bearer secret-token  "
	if len(broken) != 1 || len(fine) != 1 || fine[0] != want {
		t.Errorf("asked %q and %q, want %q", broken, fine, want)
	}
}

func TestAPatchNamesThisVeryRecord(t *testing.T) {
	var asked []string
	a := apiOf(t, server(t, 200, record, &asked))
	if err := a.patch(t.Context(), map[string]string{"phase": "working"}); err != nil {
		t.Fatal(err)
	}
	if want := `application/merge-patch+json {"metadata":{"uid":"7"},"stringData":{"phase":"working"}}`; !strings.HasSuffix(asked[0], want) {
		t.Errorf("asked %q, want %q", asked[0], want)
	}
}

func TestWhatMeansThatTheRecordIsGone(t *testing.T) {
	cases := map[string]struct {
		status int
		body   string
		gone   bool
	}{
		"it is not found":               {404, "", true},
		"the token is dead with it":     {401, "", true},
		"another has its name":          {200, `{"metadata":{"uid":"8"}}`, true},
		"the server has a bad day":      {503, "", false},
		"the server is too busy":        {429, "", false},
		"a proxy answers with a page":   {200, "<html>", false},
		"the role was taken away":       {403, "", false},
		"a conflict with another write": {409, "", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var asked []string
			_, err := apiOf(t, server(t, c.status, c.body, &asked)).Get(t.Context())
			if err == nil || errors.Is(err, ErrGone) != c.gone {
				t.Errorf("error %v, want gone %v", err, c.gone)
			}
			if strings.Contains(err.Error(), "secret-token") {
				t.Errorf("the error shows the token: %v", err)
			}
		})
	}
}

func TestAnAnswerWithoutEndIsNotRead(t *testing.T) {
	var asked []string
	a := apiOf(t, server(t, 200, `{"metadata":{"uid":"7"},"data":{"junk":"`+strings.Repeat("A", 3<<20)+`","phase":"cmVhZHk="}}`, &asked))
	if _, err := a.Get(t.Context()); err == nil || !strings.Contains(err.Error(), "more than 2 MiB") {
		t.Errorf("got %v", err)
	}
}

func TestARecordWithoutRoomIsToldFromOneThatIsGone(t *testing.T) {
	for _, status := range []int{413, 422} {
		var asked []string
		err := apiOf(t, server(t, status, "", &asked)).patch(t.Context(), map[string]string{"events": "x"})
		if !errors.Is(err, errTooLarge) || errors.Is(err, ErrGone) {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestAServerThatCannotProveItsNameIsNotTalkedTo(t *testing.T) {
	var asked []string
	a := apiOf(t, server(t, 200, record, &asked))
	other := httptest.NewUnstartedServer(nil)
	other.StartTLS()
	defer other.Close()
	a.spec.Endpoints = []string{other.URL}
	a.http.Transport.(*http.Transport).TLSClientConfig.ServerName = "not-in-the-certificate"
	if _, err := a.Get(t.Context()); err == nil {
		t.Error("it was talked to")
	}
}
