// Users with passwords: the client fetches its token, and a new one when that is not good any more.
package main

import (
	clientv3 "go.etcd.io/etcd/client/v3"
)

func auth(t *trial) {
	admin := t.client()
	_, err := admin.UserAdd(t.ctx, "root", "secret")
	t.ok(err)
	_, err = admin.RoleAdd(t.ctx, "root")
	t.ok(err)
	_, err = admin.UserGrantRole(t.ctx, "root", "root")
	t.ok(err)
	_, err = admin.AuthEnable(t.ctx)
	t.ok(err)
	root := t.clientOf("root", "secret")
	defer func() {
		_, err := root.AuthDisable(t.ctx)
		t.ok(err)
	}()
	_, err = admin.Get(t.ctx, "k")
	t.refused(err, "user name is empty")
	_, err = root.UserAdd(t.ctx, "alice", "first")
	t.ok(err)
	_, err = root.RoleAdd(t.ctx, "reader")
	t.ok(err)
	readWrite := clientv3.PermissionType(clientv3.PermReadWrite)
	prefix := t.key("")
	_, err = root.RoleGrantPermission(t.ctx, "reader", prefix, clientv3.GetPrefixRangeEnd(prefix), readWrite)
	t.ok(err)
	_, err = root.UserGrantRole(t.ctx, "alice", "reader")
	t.ok(err)

	alice := t.clientOf("alice", "first")
	opened := t.session(alice, 60)
	t.put(alice, t.key("k"), "v", clientv3.WithLease(opened.Lease()))
	_, err = alice.Put(t.ctx, "elsewhere", "v")
	t.refused(err, "permission denied")
	_, err = alice.UserList(t.ctx)
	t.refused(err, "permission denied")
	watched := alice.Watch(t.ctx, prefix, clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	t.equal(receive(t, watched).Created, true)
	denied := receive(t, alice.Watch(t.ctx, "elsewhere"))
	t.equal(denied.Canceled, true)

	// The token is not good any more, the password is: nobody notices.
	_, err = root.UserChangePassword(t.ctx, "alice", "first")
	t.ok(err)
	t.put(alice, t.key("k"), "again", clientv3.WithLease(opened.Lease()))
	t.equal(t.events(watched, 1), []string{"PUT " + t.key("k") + "=again"})
	_, err = root.UserChangePassword(t.ctx, "root", "secret")
	t.ok(err)
	users, err := root.UserList(t.ctx)
	t.ok(err)
	t.equal(users.Users, []string{"alice", "root"})

	_, err = root.UserChangePassword(t.ctx, "alice", "second")
	t.ok(err)
	_, err = alice.Put(t.ctx, t.key("k"), "x")
	t.refused(err, "authentication failed, invalid user ID or password")
	config := t.config
	config.Username, config.Password = "alice", "first"
	_, err = clientv3.New(config)
	t.refused(err, "authentication failed, invalid user ID or password")
	t.put(t.clientOf("alice", "second"), t.key("k"), "x")
	_, err = root.RoleRevokePermission(t.ctx, "reader", prefix, clientv3.GetPrefixRangeEnd(prefix))
	t.ok(err)
	_, err = t.clientOf("alice", "second").Get(t.ctx, t.key("k"))
	t.refused(err, "permission denied")
}
