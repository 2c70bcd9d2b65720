// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// ID is a member's or a cluster's number; people write it in hexadecimal.
type ID uint64

// String is the number as etcdctl prints it.
func (id ID) String() string { return strconv.FormatUint(uint64(id), 16) }

// MarshalJSON writes the number as a decimal string, as the gateway does.
func (id ID) MarshalJSON() ([]byte, error) {
	return []byte(strconv.Quote(strconv.FormatUint(uint64(id), 10))), nil
}

// UnmarshalJSON reads a decimal string.
func (id *ID) UnmarshalJSON(raw []byte) error {
	if len(raw) > 64 {
		return fmt.Errorf("a number of %d characters", len(raw))
	}
	n, err := strconv.ParseUint(strings.Trim(string(raw), `"`), 10, 64)
	*id = ID(n)
	return err
}

// Member is one member of a cluster. A learner has no vote.
type Member struct {
	ID         ID       `json:"ID"`
	Name       string   `json:"name,omitempty"`
	PeerURLs   []string `json:"peerURLs,omitempty"`
	ClientURLs []string `json:"clientURLs,omitempty"`
	Learner    bool     `json:"isLearner,omitempty"`
}

// Status is what a member says of itself.
type Status struct {
	Cluster, Member, Leader ID
	Version                 string
	// RaftIndex is how much it has of what the cluster has agreed upon.
	RaftIndex uint64
	// Size is that of its database in bytes.
	Size int64
	// Errors are alarms: a full disk, a corrupt database.
	Errors []string
}

// header is in every answer.
type header struct {
	Cluster ID `json:"cluster_id"`
	Member  ID `json:"member_id"`
}

// ErrNotMember is wrapped by the error for a member that the cluster does not
// know (any more).
var ErrNotMember = errors.New("not a member of the etcd cluster")

// Client asks members; all of one cluster take the same certificates.
type Client struct{ http *http.Client }

// mostOfAnswer bounds what is read of an answer.
const mostOfAnswer = 1 << 20

// New makes a client of PEM files: the CA that signed the members'
// certificates, and a certificate and key that they accept.
func New(ca, cert, key []byte) (*Client, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("no certificate of etcd's CA found")
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate for etcd: %w", err)
	}
	return &Client{&http.Client{Transport: &http.Transport{
		MaxResponseHeaderBytes: 64 << 10,

		TLSClientConfig:   &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true, // a handful of requests, to members that come and go
	}}}, nil
}

// Status asks a member how it is. A member without a leader still answers: its
// Leader is zero.
func (c *Client) Status(ctx context.Context, endpoint string) (Status, error) {
	var answer struct {
		Header    header   `json:"header"`
		Version   string   `json:"version"`
		Leader    ID       `json:"leader"`
		RaftIndex uint64   `json:"raftIndex,string"`
		Size      int64    `json:"dbSize,string"`
		Errors    []string `json:"errors"`
	}
	if err := c.call(ctx, endpoint, "/v3/maintenance/status", struct{}{}, &answer); err != nil {
		return Status{}, err
	}
	return Status{
		Cluster: answer.Header.Cluster, Member: answer.Header.Member, Leader: answer.Leader,
		Version: answer.Version, RaftIndex: answer.RaftIndex, Size: answer.Size, Errors: answer.Errors,
	}, nil
}

// Members lists the members. The answer is linearizable, so that there is one
// only while the cluster has its quorum; local takes what the member itself
// knows, however old.
func (c *Client) Members(ctx context.Context, endpoint string, local bool) (cluster ID, members []Member, err error) {
	var answer struct {
		Header  header   `json:"header"`
		Members []Member `json:"members"`
	}
	err = c.call(ctx, endpoint, "/v3/cluster/member/list", map[string]bool{"linearizable": !local}, &answer)
	return answer.Header.Cluster, answer.Members, err
}

// MoveLeader has the leader, which must be the one asked, hand over to another
// voting member.
func (c *Client) MoveLeader(ctx context.Context, endpoint string, to ID) error {
	return c.call(ctx, endpoint, "/v3/maintenance/transfer-leadership", map[string]ID{"targetID": to}, nil)
}

// Remove takes a member out of the cluster, for good: what it has on its disk
// is worth nothing from then on. ErrNotMember if it is none.
func (c *Client) Remove(ctx context.Context, endpoint string, member ID) error {
	return c.call(ctx, endpoint, "/v3/cluster/member/remove", map[string]ID{"ID": member}, nil)
}

// callTimeout bounds one request; a member that has no quorum gives up after 7 s.
const callTimeout = 8 * time.Second

func (c *Client) call(ctx context.Context, endpoint, path string, question, answer any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("ask etcd: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // it was read
	raw, err := io.ReadAll(io.LimitReader(response.Body, mostOfAnswer+1))
	if err == nil && len(raw) > mostOfAnswer {
		err = errors.New("it has more than 1 MiB")
	}
	if err != nil {
		return fmt.Errorf("read etcd's answer to %s: %w", path, err)
	}
	if response.StatusCode != http.StatusOK {
		return refusal(endpoint, path, response.Status, raw)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		return fmt.Errorf("decode etcd's answer to %s: %w", path, err)
	}
	return nil
}

// refusal makes an error of an answer that is one.
func refusal(endpoint, path, status string, raw []byte) error {
	var answer struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(raw, &answer) != nil || answer.Message == "" {
		answer.Message = status
	}
	answer.Message = text.Short(answer.Message, 500)
	err := fmt.Errorf("etcd at %s, %s: %s", endpoint, path, answer.Message)
	if strings.Contains(answer.Message, "member not found") {
		return fmt.Errorf("%w: %w", ErrNotMember, err)
	}
	return err
}
