// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"encoding/base64"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

func TestTheStatusOfARow(t *testing.T) {
	now := begin()
	at := func(d time.Duration) *time.Time { end := now.Add(d); return &end }
	cert := &Certificate{Fingerprint: "a", NotBefore: now.Add(-time.Hour)}
	other := Certificate{Fingerprint: "b"}
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		row  Row
		want Status
	}{
		"a second after its end":         {Row{Expires: at(0)}, Expired},
		"a second before its end":        {Row{Expires: at(time.Second)}, Critical},
		"at the limit":                   {Row{Expires: at(7 * day)}, Critical},
		"after it":                       {Row{Expires: at(7*day + 1)}, Expiring},
		"at the outer limit":             {Row{Expires: at(30 * day)}, Expiring},
		"long":                           {Row{Expires: at(31 * day)}, OK},
		"ended and wrong":                {Row{Expires: at(-1), Faults: []string{"x"}}, Expired},
		"wrong":                          {Row{Expires: at(60 * day), Faults: []string{"x"}}, Wrong},
		"another one is served":          {Row{Expires: at(60 * day), Certificate: cert, Served: &Served{Certificate: &other}}, Stale},
		"the same one is served":         {Row{Expires: at(60 * day), Certificate: cert, Served: &Served{Certificate: cert}}, OK},
		"nothing answers":                {Row{Expires: at(60 * day), Certificate: cert, Served: &Served{Why: "refused"}}, OK},
		"it was written after the start": {Row{Expires: at(60 * day), Served: &Served{Before: true}}, Stale},
		"a request":                      {Row{Request: Pending}, Pending},
		"not there":                      {Row{IsMissing: true}, Missing},
		"nothing is known":               {Row{}, Unread},
	} {
		t.Run(name, func(t *testing.T) {
			rows := []Row{c.row}
			Judge(rows, now, limits())
			if rows[0].Status != c.want || rows[0].Bad() != (c.want != OK && c.want != Absent) {
				t.Errorf("%s, want %s", rows[0].Status, c.want)
			}
		})
	}
}

func TestWhatAKubeletTellsOfItsCertificates(t *testing.T) {
	for name, c := range map[string]struct {
		metrics         string
		client, serving time.Duration
	}{
		"both": {"# HELP x\nkubelet_certificate_manager_client_ttl_seconds 3600\nkubelet_certificate_manager_server_ttl_seconds -60\nzzz 1\n",
			time.Hour, -time.Minute},
		"without an end": {"kubelet_certificate_manager_client_ttl_seconds +Inf\n", 0, 0},
		"no number":      {"kubelet_certificate_manager_client_ttl_seconds x\nkubelet_certificate_manager_client_ttl_seconds NaN\n", 0, 0},
		"a huge one":     {"kubelet_certificate_manager_client_ttl_seconds 1e300\n", 0, 0},
		"nothing":        {"", 0, 0},
		"others before and after": {strings.Repeat("apiserver_x{a=\"b\"} 1\n", 1000) + "kubelet_certificate_manager_client_ttl_seconds 60\n" +
			"kubelet_z 1\nprocess_x 1\n", time.Minute, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Lifetimes(strings.NewReader(c.metrics))
			if err != nil {
				t.Fatal(err)
			}
			for what, pair := range map[string]struct {
				got  *time.Duration
				want time.Duration
			}{"client": {got.Client, c.client}, "serving": {got.Serving, c.serving}} {
				if (pair.got == nil) != (pair.want == 0) || pair.got != nil && *pair.got != pair.want {
					t.Errorf("%s: %v, want %s", what, pair.got, pair.want)
				}
			}
		})
	}
}

func FuzzBundle(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		all, err := Bundle(raw)
		if err == nil && len(all) == 0 || len(all) > mostInFile {
			t.Errorf("%d certificates, %v", len(all), err)
		}
		for _, c := range all {
			_ = Describe(c)
			_, _ = signed(c, all)
		}
	})
}

func FuzzKey(f *testing.F) {
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if public, err := publicPart(raw); (public == nil) == (err == nil) {
			t.Errorf("%v, %v", public, err)
		}
		_, _ = publicDigest(raw)
		_, _ = pemDigest(raw)
	})
}

func FuzzKubeconfig(f *testing.F) {
	f.Add([]byte("users: [{user: {client-certificate-data: QQ==}}]\nclusters: [{cluster: {certificate-authority-data: QQ==}}]\n"))
	f.Add([]byte("current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {client-key: /k}}]\n"))
	f.Add([]byte("users: [{user: {client-key-data: geheim}}]\n"))
	f.Add([]byte("users:\n- user: {client-key-data: [geheim]}\n"))
	said := regexp.MustCompile(`^(it is no kubeconfig|[a-z-]+-data is not in base64|it has more than [0-9]+ bytes)$`)
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := ParseKubeconfig(raw)
		if err != nil {
			if !said.MatchString(err.Error()) {
				t.Errorf("the error may quote a key: %q", err)
			}
			return
		}
		if size := len(k.CA) + len(k.Certificate) + len(k.key); size > len(raw) {
			t.Errorf("%d bytes were read of %d", size, len(raw))
		}
		written, err := yaml.Marshal(kubeconfig{
			Clusters: []namedCluster{{Cluster: clusterPart{k.Server, base64.StdEncoding.EncodeToString(k.CA), k.CAFile}}},
			Users: []namedUser{{User: userPart{base64.StdEncoding.EncodeToString(k.Certificate), k.CertificateFile,
				base64.StdEncoding.EncodeToString(k.key), k.KeyFile}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseKubeconfig(written)
		if k.Users = 1; err != nil && len(written) <= MostOfFile || err == nil && !reflect.DeepEqual(k, again) {
			t.Errorf("it comes back as another one (%v)", err)
		}
	})
}

func FuzzFlags(f *testing.F) {
	f.Add([]byte("spec: {containers: [{command: [a, --b=c]}]}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if Flags(raw) == nil {
			t.Error("no map")
		}
	})
}

func FuzzLifetimes(f *testing.F) {
	f.Add("kubelet_certificate_manager_client_ttl_seconds 3600\n")
	f.Fuzz(func(t *testing.T, raw string) {
		l, err := Lifetimes(strings.NewReader(raw))
		if err == nil && l.Client != nil && l.Client.Abs() > 101*365*24*time.Hour {
			t.Errorf("%v", l)
		}
	})
}
