// Status, alarms, hashes, defragmentation, and a snapshot that is whole.
package main

import (
	"bytes"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.etcd.io/etcd/client/v3/snapshot"
	"go.uber.org/zap"
)

func maintenance(t *trial) {
	client := t.client()
	large := strings.Repeat("v", 1<<20)
	for _, name := range []string{"a", "b", "c"} {
		t.put(client, t.key(name), large)
	}
	endpoint := client.Endpoints()[0]
	alarms, err := client.AlarmList(t.ctx)
	t.ok(err)
	t.equal(len(alarms.Alarms), 0)
	one, err := client.HashKV(t.ctx, endpoint, 0)
	t.ok(err)
	_, err = client.Defragment(t.ctx, endpoint)
	t.ok(err)
	two, err := client.HashKV(t.ctx, endpoint, one.HashRevision)
	t.ok(err)
	t.equal([]any{two.Hash, two.CompactRevision}, []any{one.Hash, one.CompactRevision})
	// etcd counts what is on its disk, where defragmentation brings it.
	status, err := client.Status(t.ctx, endpoint)
	t.ok(err)
	t.equal([]any{status.Version, status.Leader, status.IsLearner, len(status.Errors)},
		[]any{"3.6.16", status.Header.MemberId, false, 0})
	if status.DbSize < 3<<20 || status.DbSizeInUse > status.DbSize {
		t.fail("sizes of %d and %d", status.DbSize, status.DbSizeInUse)
	}
	versioned, err := client.SnapshotWithVersion(t.ctx)
	t.ok(err)
	t.whole(versioned.Snapshot)
	plain, err := client.Snapshot(t.ctx)
	t.ok(err)
	t.whole(plain)
	directory, err := os.MkdirTemp("", "go-client-")
	t.ok(err)
	defer os.RemoveAll(directory)
	config := t.config
	config.Endpoints = []string{endpoint}
	version, err := snapshot.SaveWithVersion(t.ctx, zap.NewNop(), config, filepath.Join(directory, "snapshot"))
	t.ok(err)
	t.equal(version, versioned.Version)
}

// The last 32 bytes of a snapshot are the digest of what is before them.
func (t *trial) whole(stream io.ReadCloser) {
	content, err := io.ReadAll(stream)
	t.ok(err)
	t.ok(stream.Close())
	body := len(content) - sha256.Size
	if body < 3<<20 {
		t.fail("a snapshot of %d bytes", len(content))
	}
	digest := sha256.Sum256(content[:body])
	t.equal(bytes.Equal(digest[:], content[body:]), true)
}
