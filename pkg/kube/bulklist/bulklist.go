// SPDX-License-Identifier: Apache-2.0

package bulklist

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
)

const (
	// batchBytes is how much is decoded at a time, and batchesAhead how many
	// such batches may be under way.
	batchBytes   = 128 << 10
	batchesAhead = 4
	// readAhead is the buffer between the connection and the decoding.
	readAhead = 256 << 10
)

// decodable is an object that protobuf can be decoded into.
type decodable[T any] interface {
	*T
	Unmarshal([]byte) error
}

// Request reads all objects of one kind in one request, and hands them over as
// they arrive, so that there is never more than a few of them in memory.
type Request[T any] struct {
	// resource is its name for people, path the one in the URL.
	Resource, Path string
	Wire           rest.Interface
	Shape          *shape
	// list is for a client that has no wire, like the fake one.
	List func(context.Context) ([]T, error)
}

// ListOf makes a typed client's List into what bulk wants.
func ListOf[L, T any](list func(context.Context, metav1.ListOptions) (L, error), items func(L) []T) func(context.Context) ([]T, error) {
	return func(ctx context.Context) ([]T, error) {
		all, err := list(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		return items(all), nil
	}
}

// Each calls take for every object of the kind, one after the other. Objects
// lack what the shape leaves out.
//
// No version and no page size are asked for, which a server answers from its
// cache, and consistently, since Kubernetes 1.31 (KEP-2340).
func Each[T any, P decodable[T]](ctx context.Context, b Request[T], take func(*T)) error {
	if client, real := b.Wire.(*rest.RESTClient); !real || client == nil {
		all, err := b.List(ctx)
		for i := range all {
			take(&all[i])
		}
		return unreadIf(err, b.Resource)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body, err := b.Wire.Get().Resource(b.Path).
		SetHeader("Accept", "application/vnd.kubernetes.protobuf, application/json").Stream(ctx)
	if err != nil {
		return unreadIf(err, b.Resource)
	}
	defer func() { _ = body.Close() }() // it was read
	return unreadIf(decodeAll[T, P](ctx, body, b.Shape, take), b.Resource)
}

// unreadIf is the error of a list that cannot be read, if there is one.
func unreadIf(err error, resource string) error {
	if err == nil {
		return nil
	}
	return kube.UnreadList(err, resource)
}

// decodeAll decodes a list on all processors and calls take in the list's order.
func decodeAll[T any, P decodable[T]](ctx context.Context, body io.Reader, s *shape, take func(*T)) error {
	r := bufio.NewReaderSize(body, readAhead)
	if first, err := r.Peek(1); err == nil && first[0] == '{' {
		all, err := jsonItems[T](r)
		for i := range all {
			take(&all[i])
		}
		return err
	}
	batches := make(chan chan []T, batchesAhead)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(batches)
		return batched(ctx, r, func(raw []byte, ends []int) error {
			done := make(chan []T, 1)
			select {
			case batches <- done:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			group.Go(func() error {
				defer close(done)
				all, err := decode[T, P](raw, ends, s)
				done <- all
				return err
			})
			return nil
		})
	})
	for done := range batches {
		all := <-done
		for i := range all {
			take(&all[i])
		}
	}
	return group.Wait()
}

// batched collects the frames of a list into batches.
func batched(ctx context.Context, r *bufio.Reader, send func(raw []byte, ends []int) error) error {
	var raw []byte
	var ends []int
	err := frames(r, func(one []byte) error {
		if raw == nil {
			raw = make([]byte, 0, batchBytes+len(one))
		}
		raw = append(raw, one...)
		ends = append(ends, len(raw))
		if len(raw) < batchBytes {
			return ctx.Err()
		}
		full, marks := raw, ends
		raw, ends = nil, nil
		return send(full, marks)
	})
	if err != nil || len(raw) == 0 {
		return err
	}
	return send(raw, ends)
}

func decode[T any, P decodable[T]](raw []byte, ends []int, s *shape) ([]T, error) {
	all := make([]T, len(ends))
	var trimmed []byte
	begin := 0
	for i, end := range ends {
		var err error
		if trimmed, err = s.trim(trimmed[:0], raw[begin:end]); err != nil {
			return nil, err
		}
		if err := P(&all[i]).Unmarshal(trimmed); err != nil {
			return nil, fmt.Errorf("decode: %w", err)
		}
		begin = end
	}
	return all, nil
}
