// Keys and values: reads of all kinds, pages, nested transactions.
package main

import (
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/clientv3util"
)

func kv(t *trial) {
	client := t.client()
	key := t.key("k")
	first := t.put(client, key, "1")
	answer, err := client.Put(t.ctx, key, "2", clientv3.WithPrevKV())
	t.ok(err)
	t.equal(string(answer.PrevKv.Value), "1")
	t.equal(t.values(client, key), []string{"2"})
	t.equal(t.values(client, key, clientv3.WithRev(first)), []string{"1"})
	t.equal(t.values(client, key, clientv3.WithSerializable()), []string{"2"})
	removed, err := client.Delete(t.ctx, key, clientv3.WithPrevKV())
	t.ok(err)
	t.equal(string(removed.PrevKvs[0].Value), "2")
	_, err = client.Compact(t.ctx, removed.Header.Revision, clientv3.WithCompactPhysical())
	t.ok(err)
	_, err = client.Get(t.ctx, key, clientv3.WithRev(first))
	t.refused(err, "required revision has been compacted")
	_, err = client.Get(t.ctx, key, clientv3.WithRev(removed.Header.Revision+100))
	t.refused(err, "required revision is a future revision")
	_, err = client.Put(t.ctx, "", "")
	t.refused(err, "key is not provided")
	_, err = client.Put(t.ctx, key, "", clientv3.WithLease(12345))
	t.refused(err, "requested lease not found")
	members, err := client.MemberList(t.ctx)
	t.ok(err)
	t.ok(client.Sync(t.ctx))
	t.equal(len(client.Endpoints()), len(members.Members))
	t.put(client, key, "3")
}

// Puts count keys under the scenario's prefix, many at once; the value of each is its number.
func (t *trial) fill(client clientv3.KV, prefix string, count int) int64 {
	revision := int64(0)
	for start := 0; start < count; start += 100 {
		operations := []clientv3.Op{}
		for i := start; i < min(start+100, count); i++ {
			operations = append(operations, clientv3.OpPut(fmt.Sprintf("%s%05d", prefix, i), fmt.Sprint(i)))
		}
		answer, err := client.Txn(t.ctx).Then(operations...).Commit()
		t.ok(err)
		revision = answer.Header.Revision
	}
	return revision
}

func paging(t *trial) {
	client := t.client()
	prefix := t.key("")
	end := clientv3.GetPrefixRangeEnd(prefix)
	revision := t.fill(client, prefix, 1050)
	t.put(client, prefix+"a", "later")
	found := 0
	for start, more := prefix, true; more; {
		answer, err := client.Get(t.ctx, start, clientv3.WithRange(end), clientv3.WithLimit(100), clientv3.WithRev(revision))
		t.ok(err)
		t.equal(answer.Count, 1050-found)
		for _, pair := range answer.Kvs {
			t.equal(string(pair.Value), found)
			found++
		}
		start, more = string(answer.Kvs[len(answer.Kvs)-1].Key)+"\x00", answer.More
	}
	t.equal(found, 1050)
	counted, err := client.Get(t.ctx, prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	t.ok(err)
	t.equal([]any{counted.Count, len(counted.Kvs)}, []any{1051, 0})
	t.equal(t.values(client, prefix, clientv3.WithLastRev()...), []string{"later"})
	t.equal(t.values(client, prefix, clientv3.WithFirstKey()...), []string{"0"})
	t.equal(t.values(client, prefix+"01048", clientv3.WithRange(end), clientv3.WithSort(clientv3.SortByKey,
		clientv3.SortDescend)), []string{"later", "1049", "1048"})
	t.equal(t.values(client, prefix, clientv3.WithPrefix(), clientv3.WithMinModRev(revision+1)), []string{"later"})
	t.equal(t.values(client, prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly(), clientv3.WithLimit(1)), []string{""})
	removed, err := client.Delete(t.ctx, prefix, clientv3.WithPrefix())
	t.ok(err)
	t.equal(removed.Deleted, 1051)
}

func txn(t *trial) {
	client := t.client()
	key, other := t.key("k"), t.key("other")
	inner := clientv3.OpTxn(
		[]clientv3.Cmp{clientv3.Compare(clientv3.Value(key), "=", "1")},
		[]clientv3.Op{clientv3.OpPut(other, "then"), clientv3.OpGet(other)},
		[]clientv3.Op{clientv3.OpPut(other, "else")},
	)
	answer, err := client.Txn(t.ctx).
		If(clientv3util.KeyMissing(key), clientv3.Compare(clientv3.Version(other), "<", 1)).
		Then(clientv3.OpPut(key, "1"), inner, clientv3.OpGet(t.key(""), clientv3.WithPrefix())).
		Commit()
	t.ok(err)
	t.equal(answer.Succeeded, true)
	nested := answer.Responses[1].GetResponseTxn()
	// What is compared is what was there before the whole of it.
	t.equal(nested.Succeeded, false)
	t.equal(answer.Responses[2].GetResponseRange().Count, 2)
	answer, err = client.Txn(t.ctx).If(clientv3util.KeyMissing(key)).Else(clientv3.OpDelete(key), inner).Commit()
	t.ok(err)
	nested = answer.Responses[1].GetResponseTxn()
	t.equal([]any{answer.Succeeded, nested.Succeeded}, []any{false, true})
	t.equal(string(nested.Responses[1].GetResponseRange().Kvs[0].Value), "then")
	t.equal(t.values(client, t.key(""), clientv3.WithPrefix()), []string{"then"})
	_, err = client.Txn(t.ctx).Then(clientv3.OpPut(key, "a"), clientv3.OpPut(key, "b")).Commit()
	t.refused(err, "duplicate key given in txn request")
}
