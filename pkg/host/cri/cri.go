// SPDX-License-Identifier: Apache-2.0

// Package cri lists and removes the sandboxes and containers of a container
// runtime over the Container Runtime Interface, version v1 (every runtime that
// Kubernetes 1.26 and later accepts).
//
// It speaks gRPC over the standard library's HTTP/2 and reads just the fields
// it needs. google.golang.org/grpc and k8s.io/cri-api would do the same for 6
// MiB of the node program, twice what the rest of it weighs; the tests hold
// this client equal to them.
package cri

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The bounds of a reply: a message, as the kubelet takes one
// (maxMsgSize in k8s.io/cri-client), and what a runtime says is wrong.
const (
	maxReply   = 16 << 20
	maxHeader  = 64 << 10
	maxMessage = 2 << 10
)

// Client talks to one runtime. It is safe for concurrent use.
type Client struct {
	socket string
	http   *http.Client
}

// New returns a client of the runtime that listens on a socket, given as a
// path or as unix:///path. It does not connect yet.
func New(socket string) *Client {
	path := strings.TrimPrefix(socket, "unix://")
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &Client{socket: path, http: &http.Client{Transport: &http.Transport{
		Protocols: protocols,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
		MaxIdleConns:           1,
		MaxResponseHeaderBytes: maxHeader,
		IdleConnTimeout:        time.Minute,
	}}}
}

// Close closes the connection.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Error is a call that the runtime refused.
type Error struct {
	Method string
	// Code is gRPC's: 5 is NotFound, 12 Unimplemented, 14 Unavailable.
	Code    string
	Message string
}

// Error says which call and what the runtime said.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s (code %s)", e.Method, e.Message, e.Code) }

// NotFound reports whether an error says that the thing is already gone.
func NotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == "5"
}

// call makes one unary call and returns the reply's message.
func (c *Client) call(ctx context.Context, method string, request []byte) ([]byte, error) {
	frame := make([]byte, 5, 5+len(request)) // one byte "not compressed", four bytes of length
	binary.BigEndian.PutUint32(frame[1:], uint32(len(request)))
	frame = append(frame, request...)
	url := "http://localhost/runtime.v1.RuntimeService/" + method
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(frame))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s at %s: %w", method, c.socket, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	if err == nil && len(body) > maxReply {
		err = fmt.Errorf("the reply has more than %d MiB", maxReply>>20)
	}
	if err != nil {
		return nil, fmt.Errorf("%s at %s: %w", method, c.socket, err)
	}
	return reply(method, resp, body)
}

// reply takes the message out of a response whose body has been read.
func reply(method string, resp *http.Response, body []byte) ([]byte, error) {
	code, message := resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message")
	if code == "" { // an answer without a body has its status among the headers
		code, message = resp.Header.Get("Grpc-Status"), resp.Header.Get("Grpc-Message")
	}
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, &Error{Method: method, Code: "http", Message: resp.Status}
	case code != "0":
		return nil, &Error{Method: method, Code: code, Message: unescape(message)}
	case len(body) < 5 || body[0] != 0 || int(binary.BigEndian.Uint32(body[1:5])) != len(body)-5:
		return nil, &Error{Method: method, Code: "frame", Message: fmt.Sprintf("unreadable reply of %d bytes", len(body))}
	}
	return body[5:], nil
}

// unescape undoes the percent-encoding of gRPC messages: "a%20b" → "a b". What is
// too long is cut, and what is no UTF-8 goes.
func unescape(s string) string {
	s = s[:min(len(s), 3*maxMessage)]
	var b strings.Builder
	for i := 0; i < len(s) && b.Len() < maxMessage; i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return strings.ToValidUTF8(b.String(), "")
}
