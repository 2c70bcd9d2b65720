// SPDX-License-Identifier: Apache-2.0

// Package etcd asks an etcd member for its cluster and changes who is part of
// it, over the JSON gateway that every member serves beside gRPC (etcd's
// --enable-grpc-gateway, on by default in 3.4 to 3.6).
//
// It decides nothing: whether a member may leave is package clean's question.
package etcd
