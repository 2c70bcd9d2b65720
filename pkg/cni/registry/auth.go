// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// answer says who asks, in the way that a registry wants it: a name and password, or
// a token that its own server gives for them.
func (s *session) answer(ctx context.Context, challenge, name string) (string, error) {
	user, password := "", ""
	if s.credentials != nil {
		user, password = s.credentials(s.host)
	}
	kind, rest, _ := strings.Cut(challenge, " ")
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	switch {
	case strings.EqualFold(kind, "basic") && user != "":
		return basic, nil
	case !strings.EqualFold(kind, "bearer"):
		return "", errWho
	}
	fields := map[string]string{}
	for _, m := range regexp.MustCompile(`([a-z]+)="([^"]*)"`).FindAllStringSubmatch(rest, -1) {
		fields[m[1]] = m[2]
	}
	realm, err := url.Parse(fields["realm"])
	if err != nil || !s.trusts(realm) {
		return "", errors.New("the registry names no server for tokens that can be trusted")
	}
	query := realm.Query()
	query.Set("service", fields["service"])
	query.Set("scope", "repository:"+name+":pull")
	realm.RawQuery = query.Encode()
	within, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(within, http.MethodGet, realm.String(), nil)
	if err != nil {
		return "", errors.New("the registry names no server for tokens that can be trusted")
	}
	if user != "" {
		request.Header.Set("Authorization", basic)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return "", fmt.Errorf("ask for a token: %w", cause(err))
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	var token struct {
		Token       string `json:"token"`
		AccessToken string `json:"access_token"`
	}
	err = json.NewDecoder(io.LimitReader(response.Body, most)).Decode(&token)
	if given := token.Token + token.AccessToken; response.StatusCode != http.StatusOK || err != nil || given == "" {
		return "", fmt.Errorf("ask for a token: the server says %s", response.Status)
	}
	if token.Token == "" {
		token.Token = token.AccessToken
	}
	return "Bearer " + token.Token, nil
}

// trusts says whether a password may be sent there: over TLS, or within this machine.
func (s *session) trusts(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && strings.HasPrefix(s.base, "http://") && onThisMachine(u.Host)
}

// client goes to registries, over https alone once it has begun so.
func (c Client) client() *http.Client {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, DisableKeepAlives: true}
	if c.Roots != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: transport, CheckRedirect: func(next *http.Request, before []*http.Request) error {
		if len(before) > 9 || before[0].URL.Scheme == "https" && next.URL.Scheme != "https" {
			return errors.New("the registry redirects from https, or without an end")
		}
		return nil
	}}
}

// onThisMachine says whether a host is this machine, by its name alone.
func onThisMachine(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// cause takes the URL out of an error of http.
func cause(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// Docker reads the names and passwords of "docker login" and "helm registry login".
// What a helper program keeps is not read.
func Docker() Credentials {
	var files []string
	if folder := os.Getenv("DOCKER_CONFIG"); folder != "" {
		files = append(files, filepath.Join(folder, "config.json"))
	} else if home, err := os.UserHomeDir(); err == nil {
		files = append(files, filepath.Join(home, ".docker", "config.json"))
	}
	if named := os.Getenv("HELM_REGISTRY_CONFIG"); named != "" {
		files = append(files, named)
	} else if folder := os.Getenv("HELM_CONFIG_HOME"); folder != "" {
		files = append(files, filepath.Join(folder, "registry", "config.json"))
	} else if folder, err := os.UserConfigDir(); err == nil {
		files = append(files, filepath.Join(folder, "helm", "registry", "config.json"))
	}
	return func(host string) (name, password string) {
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				continue
			}
			if name, password := find(raw, host); name != "" {
				return name, password
			}
		}
		return "", ""
	}
}

// find reads the entry of a host in Docker's configuration.
func find(raw []byte, host string) (name, password string) {
	var config struct {
		Auths map[string]struct {
			Auth     string `json:"auth"`
			Username string `json:"username"`
			Password string `json:"password"`
		} `json:"auths"`
	}
	if json.Unmarshal(raw, &config) != nil {
		return "", ""
	}
	for key, entry := range config.Auths {
		key = strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
		key, _, _ = strings.Cut(key, "/")
		if key != host && (host != "docker.io" || key != "index.docker.io") {
			continue
		}
		if entry.Username != "" {
			return entry.Username, entry.Password
		}
		decoded, err := base64.StdEncoding.DecodeString(entry.Auth)
		if err != nil {
			continue
		}
		name, password, _ = strings.Cut(string(decoded), ":")
		return name, password
	}
	return "", ""
}
