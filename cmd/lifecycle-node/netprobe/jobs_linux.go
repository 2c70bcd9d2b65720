// SPDX-License-Identifier: Apache-2.0

package netprobe

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

const (
	// mostBytes bounds what is sent to another probe, and brought back by it.
	mostBytes = 1 << 20
	// patience is how long a connection of another probe may be silent.
	patience = 10 * time.Second
	// tries is how often a packet is sent: the first ones are lost while a way is
	// learned.
	tries = 4
	// headers are what IP and UDP put before a packet's content.
	headers4, headers6 = 28, 48
)

// answer sends back what other probes send, over TCP and UDP, until ctx ends.
func answer(ctx context.Context, port int) error {
	var listen net.ListenConfig
	address := fmt.Sprintf(":%d", port)
	streams, err := listen.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	packets, err := listen.ListenPacket(ctx, "udp", address)
	if err != nil {
		return errors.Join(fmt.Errorf("listen: %w", err), streams.Close())
	}
	context.AfterFunc(ctx, func() { _, _ = streams.Close(), packets.Close() }) // they end the loops below
	go func() {
		for {
			c, err := streams.Accept()
			if err != nil {
				return
			}
			go echo(c)
		}
	}()
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, from, err := packets.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = packets.WriteTo(buf[:n], from) // one that is lost is sent again
		}
	}()
	return nil
}

// echo sends back what one connection brings.
func echo(c net.Conn) {
	defer func() { _ = c.Close() }() // it was answered
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.Copy(c, io.LimitReader(c, mostBytes))
}

// tcp sends bytes to another probe, and compares what comes back.
func tcp(ctx context.Context, job wire.ProbeJob) error {
	var dial net.Dialer
	c, err := dial.DialContext(ctx, "tcp", job.To)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // it was read
	if until, set := ctx.Deadline(); set {
		_ = c.SetDeadline(until)
	}
	sent := make([]byte, min(max(job.Size, 1), mostBytes))
	_, _ = rand.Read(sent) // it does not fail
	done := make(chan error, 1)
	go func() {
		_, err := c.Write(sent)
		done <- err
	}()
	got := make([]byte, len(sent))
	if n, err := io.ReadFull(c, got); err != nil {
		return fmt.Errorf(wire.ProbeCut+"%d of %d bytes come back: %w", n, len(sent), err)
	}
	if err := <-done; err != nil {
		return err
	}
	if !bytes.Equal(sent, got) {
		return errors.New("other bytes come back: no probe answers there")
	}
	return nil
}

// sized sends one packet that may not be divided, and waits for it to come back. It is
// as long as the way there allows: a network may give its pods' interface one MTU, and
// the route to other nodes a smaller one (Cilium does).
func sized(ctx context.Context, job wire.ProbeJob) (int, error) {
	c, err := undivided().DialContext(ctx, "udp", job.To)
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.Close() }() // it was read
	whole, head, err := wayOf(c)
	if err != nil {
		return 0, err
	}
	if job.Size > 0 {
		whole = min(whole, job.Size)
	}
	sent := make([]byte, min(max(whole-head, 1), 1<<16-head-1))
	_, _ = rand.Read(sent) // it does not fail
	until, _ := ctx.Deadline()
	each := time.Until(until) / tries
	for range tries {
		if _, err = c.Write(sent); err != nil {
			return whole, err
		}
		_ = c.SetReadDeadline(time.Now().Add(each))
		got := make([]byte, 1<<16)
		var n int
		if n, err = c.Read(got); err == nil && bytes.Equal(sent, got[:n]) {
			return whole, nil
		}
	}
	return whole, fmt.Errorf("a packet of %d bytes does not come back", whole)
}

// undivided dials with the bit set by which no router divides a packet.
func undivided() *net.Dialer {
	return &net.Dialer{Control: func(network, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			if network == "udp6" {
				failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_DO)
				return
			}
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO)
		})
		return errors.Join(err, failed)
	}}
}

// wayOf is how long a packet may be on the way of a connection, and how much of it are
// headers.
func wayOf(c net.Conn) (whole, head int, err error) {
	udp, ok := c.(*net.UDPConn)
	if !ok {
		return 0, 0, errors.New("it is no UDP connection")
	}
	raw, err := udp.SyscallConn()
	if err != nil {
		return 0, 0, err
	}
	six := false
	if a, ok := c.RemoteAddr().(*net.UDPAddr); ok {
		six = a.IP.To4() == nil
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		if six {
			whole, failed = unix.GetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MTU)
			return
		}
		whole, failed = unix.GetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU)
	})
	head = headers4
	if six {
		head = headers6
	}
	return whole, head, errors.Join(err, failed)
}

// lookUp asks the nameserver of the pod for a name.
func lookUp(ctx context.Context, job wire.ProbeJob) error {
	found, err := (&net.Resolver{PreferGo: true}).LookupHost(ctx, job.To)
	if err == nil && len(found) == 0 {
		return errors.New("it has no address")
	}
	return err
}

// greet opens a TLS connection to a server, and checks its certificate.
func greet(ctx context.Context, job wire.ProbeJob) error {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(job.CA) {
		return errors.New("the certificate authority cannot be read")
	}
	dial := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: job.Server, MinVersion: tls.VersionTLS12}}
	c, err := dial.DialContext(ctx, "tcp", job.To)
	if err != nil {
		return err
	}
	return c.Close()
}
