// Runs named scenarios with jetcd against a server, and prints a line of JSON for each: ENDPOINT SCENARIO...
import static java.nio.charset.StandardCharsets.UTF_8;

import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.ClientBuilder;
import io.etcd.jetcd.Election;
import io.etcd.jetcd.KeyValue;
import io.etcd.jetcd.Maintenance;
import io.etcd.jetcd.Watch;
import io.etcd.jetcd.auth.Permission;
import io.etcd.jetcd.election.LeaderKey;
import io.etcd.jetcd.election.LeaderResponse;
import io.etcd.jetcd.lease.LeaseKeepAliveResponse;
import io.etcd.jetcd.op.Cmp;
import io.etcd.jetcd.op.CmpTarget;
import io.etcd.jetcd.op.Op;
import io.etcd.jetcd.options.DeleteOption;
import io.etcd.jetcd.options.GetOption;
import io.etcd.jetcd.options.LeaseOption;
import io.etcd.jetcd.options.PutOption;
import io.etcd.jetcd.options.WatchOption;
import io.etcd.jetcd.watch.WatchEvent;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayOutputStream;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

public final class JetcdScenarios {
  interface Scenario {
    void run(Client client) throws Exception;
  }

  private static final int PATIENCE_S = 30;
  private static final Map<String, Scenario> SCENARIOS = new LinkedHashMap<>();

  static {
    SCENARIOS.put("kv", JetcdScenarios::kv);
    SCENARIOS.put("txn", JetcdScenarios::txn);
    SCENARIOS.put("watch", JetcdScenarios::watch);
    SCENARIOS.put("lease", JetcdScenarios::lease);
    SCENARIOS.put("lock", JetcdScenarios::lock);
    SCENARIOS.put("election", JetcdScenarios::election);
    SCENARIOS.put("maintenance", JetcdScenarios::maintenance);
    SCENARIOS.put("cluster", JetcdScenarios::cluster);
    SCENARIOS.put("resume", JetcdScenarios::resume);
    SCENARIOS.put("auth", JetcdScenarios::auth);
  }

  private static String endpoint;

  public static void main(String[] arguments) {
    endpoint = "http://" + arguments[0];
    for (String name : Arrays.copyOfRange(arguments, 1, arguments.length)) {
      String error = null;
      try (Client client = builder().build()) {
        SCENARIOS.get(name).run(client);
      } catch (Throwable failure) {
        error = describe(failure);
      }
      String rest = error == null ? "\"ok\":true" : "\"ok\":false,\"error\":\"" + escaped(error) + "\"";
      System.out.println("{\"name\":\"" + name + "\"," + rest + "}");
    }
    System.exit(0);
  }

  private static void kv(Client client) throws Exception {
    var kv = client.getKVClient();
    long first = await(kv.put(bytes("kv/a"), bytes("1"))).getHeader().getRevision();
    var replaced = await(kv.put(bytes("kv/a"), bytes("2"), PutOption.builder().withPrevKV().build()));
    equal(replaced.getPrevKv().getValue(), bytes("1"));
    for (int i = 0; i < 20; i++) await(kv.put(bytes("kv/b/" + (char) ('a' + i)), bytes("" + i)));
    equal(value(client, "kv/a"), "2");
    var past = GetOption.builder().withRevision(first).build();
    equal(await(kv.get(bytes("kv/a"), past)).getKvs().get(0).getValue(), bytes("1"));
    var page = GetOption.builder()
        .isPrefix(true)
        .withLimit(5)
        .withSortField(GetOption.SortTarget.KEY)
        .withSortOrder(GetOption.SortOrder.DESCEND)
        .build();
    var found = await(kv.get(bytes("kv/b/"), page));
    equal(List.of(found.getCount(), found.isMore(), found.getKvs().size()), List.of(20L, true, 5));
    equal(found.getKvs().get(0).getValue(), bytes("19"));
    var removed = await(kv.delete(bytes("kv/"), DeleteOption.builder().isPrefix(true).withPrevKV(true).build()));
    equal(List.of(removed.getDeleted(), removed.getPrevKvs().size()), List.of(21L, 21));
    await(kv.compact(removed.getHeader().getRevision()));
    refused(kv.get(bytes("kv/a"), past), "required revision has been compacted");
    refused(kv.put(bytes(""), bytes("")), "key is not provided");
  }

  private static void txn(Client client) throws Exception {
    var kv = client.getKVClient();
    var key = bytes("txn/k");
    var put = Op.put(key, bytes("2"), PutOption.DEFAULT);
    Cmp[] isOne = {new Cmp(key, Cmp.Op.EQUAL, CmpTarget.value(bytes("1")))};
    var inner = Op.txn(isOne, new Op[] {put}, new Op[] {Op.get(key, GetOption.DEFAULT)});
    var missing = new Cmp(key, Cmp.Op.EQUAL, CmpTarget.version(0));
    var one = await(kv.txn().If(missing).Then(Op.put(key, bytes("1"), PutOption.DEFAULT)).commit());
    equal(one.isSucceeded(), true);
    var two = await(kv.txn().If(missing).Then(put).Else(inner, Op.get(key, GetOption.DEFAULT)).commit());
    equal(List.of(two.isSucceeded(), two.getTxnResponses().get(0).isSucceeded()), List.of(false, true));
    equal(two.getGetResponses().get(0).getKvs().get(0).getValue(), bytes("2"));
    refused(kv.txn().Then(put, put).commit(), "duplicate key given in txn request");
  }

  private static void watch(Client client) throws Exception {
    var kv = client.getKVClient();
    long first = await(kv.put(bytes("watch/a"), bytes("1"))).getHeader().getRevision();
    var events = new LinkedBlockingQueue<String>();
    var prefix = WatchOption.builder().isPrefix(true).withRevision(first).withPrevKV(true).build();
    try (var watcher = watching(client, "watch/", prefix, events)) {
      await(kv.put(bytes("watch/b"), bytes("2")));
      await(kv.delete(bytes("watch/a")));
      for (String event : List.of("PUT watch/a=1", "PUT watch/b=2", "DELETE watch/a=")) equal(next(events), event);
    }
    long last = await(kv.put(bytes("watch/b"), bytes("3"))).getHeader().getRevision();
    await(kv.compact(last));
    var errors = new LinkedBlockingQueue<Throwable>();
    var past = WatchOption.builder().withRevision(first).build();
    try (var watcher = client.getWatchClient().watch(bytes("watch/a"), past, answer -> {}, errors::add)) {
      contains(describe(next(errors)), "required revision has been compacted");
    }
  }

  private static void resume(Client client) throws Exception {
    var kv = client.getKVClient();
    var events = new LinkedBlockingQueue<String>();
    var prefix = WatchOption.builder().isPrefix(true).withCreateNotify(true).build();
    try (var watcher = watching(client, "resume/", prefix, events)) {
      equal(next(events), "created");
      for (String end : List.of("restart", "crash")) {
        await(kv.put(bytes("resume/before"), bytes(end)));
        equal(next(events), "PUT resume/before=" + end);
        System.out.println("{\"ask\":\"" + end + "\"}");
        System.in.read();
        equal(value(client, "resume/before"), end);
        await(kv.put(bytes("resume/after"), bytes(end)));
        // The listener is told that the connection has broken, and the watch goes on.
        String event = next(events);
        while (!event.startsWith("PUT")) event = next(events);
        equal(event, "PUT resume/after=" + end);
      }
    }
  }

  private static void lease(Client client) throws Exception {
    var leases = client.getLeaseClient();
    long kept = await(leases.grant(4)).getID();
    long left = await(leases.grant(5)).getID();
    var kv = client.getKVClient();
    await(kv.put(bytes("lease/kept"), bytes(""), PutOption.builder().withLeaseId(kept).build()));
    var leased = PutOption.builder().withLeaseId(left).build();
    long revision = await(kv.put(bytes("lease/left"), bytes(""), leased)).getHeader().getRevision();
    var answers = new LinkedBlockingQueue<Long>();
    try (var keeper = leases.keepAlive(kept, collecting(answers))) {
      equal(next(answers), 4L);
      var events = new LinkedBlockingQueue<String>();
      var later = WatchOption.builder().withRevision(revision + 1).build();
      try (var watcher = watching(client, "lease/left", later, events)) {
        equal(next(events), "DELETE lease/left=");
      }
      // That of the shorter life is still there.
      var living = await(leases.timeToLive(kept, LeaseOption.builder().withAttachedKeys().build()));
      equal(List.of(living.getGrantedTTL(), living.getKeys()), List.of(4L, List.of(bytes("lease/kept"))));
      equal(await(leases.keepAliveOnce(kept)).getTTL(), 4L);
    }
    await(leases.revoke(kept));
    equal(await(kv.get(bytes("lease/kept"))).getCount(), 0L);
    refused(leases.revoke(kept), "requested lease not found");
    equal(await(leases.timeToLive(left, LeaseOption.DEFAULT)).getTTL(), -1L);
  }

  private static void lock(Client client) throws Exception {
    var leases = client.getLeaseClient();
    var locks = client.getLockClient();
    long one = await(leases.grant(60)).getID();
    long two = await(leases.grant(60)).getID();
    var held = await(locks.lock(bytes("lock"), one)).getKey();
    var waiting = locks.lock(bytes("lock"), two);
    var events = new LinkedBlockingQueue<String>();
    var fromStart = WatchOption.builder().isPrefix(true).withRevision(revision(client, held)).build();
    try (var watcher = watching(client, "lock/", fromStart, events)) {
      next(events);
      next(events);
    }
    equal(waiting.isDone(), false);
    await(locks.unlock(held));
    var second = await(waiting).getKey();
    long three = await(leases.grant(60)).getID();
    var third = locks.lock(bytes("lock"), three);
    await(leases.revoke(two));
    equal(await(client.getKVClient().get(second)).getCount(), 0L);
    await(locks.unlock(await(third).getKey()));
    refused(locks.lock(bytes("lock"), two), "requested lease not found");
  }

  private static void election(Client client) throws Exception {
    var elections = client.getElectionClient();
    var name = bytes("election");
    long one = await(client.getLeaseClient().grant(60)).getID();
    long two = await(client.getLeaseClient().grant(60)).getID();
    refused(elections.leader(name), "NoLeaderException");
    LeaderKey first = await(elections.campaign(name, one, bytes("a"))).getLeader();
    var observed = new LinkedBlockingQueue<String>();
    elections.observe(name, observing(observed));
    equal(next(observed), "a");
    await(elections.proclaim(first, bytes("b")));
    equal(next(observed), "b");
    var waiting = elections.campaign(name, two, bytes("c"));
    equal(await(elections.leader(name)).getKv().getValue(), bytes("b"));
    equal(waiting.isDone(), false);
    await(elections.resign(first));
    LeaderKey second = await(waiting).getLeader();
    equal(next(observed), "c");
    refused(elections.proclaim(first, bytes("x")), "NotLeaderException");
    await(elections.resign(second));
    refused(elections.leader(name), "NoLeaderException");
  }

  private static void maintenance(Client client) throws Exception {
    Maintenance maintenance = client.getMaintenanceClient();
    for (int i = 0; i < 3; i++) await(client.getKVClient().put(bytes("large/" + i), bytes("v".repeat(1 << 20))));
    await(maintenance.defragmentMember(endpoint));
    var status = await(maintenance.statusMember(endpoint));
    equal(status.getVersion(), "3.6.16");
    equal(status.getLeader(), status.getHeader().getMemberId());
    equal(status.getDbSize() > 3 << 20, true);
    long revision = status.getHeader().getRevision();
    int hash = await(maintenance.hashKV(endpoint, revision)).getHash();
    equal(await(maintenance.hashKV(endpoint, revision)).getHash(), hash);
    equal(await(maintenance.listAlarms()).getAlarms(), List.of());
    var stream = new ByteArrayOutputStream();
    equal(await(maintenance.snapshot(stream)), (long) stream.size());
    byte[] content = stream.toByteArray();
    int body = content.length - 32;
    equal(body > 3 << 20, true);
    byte[] digest = MessageDigest.getInstance("SHA-256").digest(Arrays.copyOf(content, body));
    equal(Arrays.equals(digest, Arrays.copyOfRange(content, body, content.length)), true);
  }

  private static void cluster(Client client) throws Exception {
    var members = await(client.getClusterClient().listMember()).getMembers();
    equal(members.size(), 1);
    equal(members.get(0).getName(), "default");
    equal(members.get(0).getClientURIs().toString(), "[" + endpoint + "]");
  }

  private static void auth(Client client) throws Exception {
    var auth = client.getAuthClient();
    await(auth.userAdd(bytes("root"), bytes("secret")));
    await(auth.roleAdd(bytes("root")));
    await(auth.userGrantRole(bytes("root"), bytes("root")));
    await(auth.roleAdd(bytes("some")));
    await(auth.roleGrantPermission(bytes("some"), bytes("auth/"), bytes("auth0"), Permission.Type.READWRITE));
    await(auth.userAdd(bytes("alice"), bytes("first")));
    await(auth.userGrantRole(bytes("alice"), bytes("some")));
    await(auth.authEnable());
    refused(client.getKVClient().get(bytes("auth/k")), "user name is empty");
    try (Client root = user("root", "secret"); Client alice = user("alice", "first")) {
      await(alice.getKVClient().put(bytes("auth/k"), bytes("v")));
      refused(alice.getKVClient().put(bytes("elsewhere"), bytes("v")), "permission denied");
      refused(alice.getAuthClient().userList(), "permission denied");
      equal(await(root.getAuthClient().userList()).getUsers(), List.of("alice", "root"));
      // The token is not good any more, the password is.
      await(root.getAuthClient().userChangePassword(bytes("alice"), bytes("first")));
      equal(value(alice, "auth/k"), "v");
      await(root.getAuthClient().userChangePassword(bytes("alice"), bytes("second")));
      try (Client late = user("alice", "first")) {
        refused(late.getKVClient().get(bytes("auth/k")), "UNAUTHENTICATED");
      }
      try (Client again = user("alice", "second")) {
        equal(value(again, "auth/k"), "v");
      }
      await(root.getAuthClient().authDisable());
    }
    equal(value(client, "auth/k"), "v");
  }

  private static ClientBuilder builder() {
    return Client.builder().endpoints(endpoint);
  }

  private static Client user(String name, String password) {
    return builder().user(bytes(name)).password(bytes(password)).build();
  }

  private static Watch.Watcher watching(Client client, String key, WatchOption option, BlockingQueue<String> events) {
    return client.getWatchClient().watch(bytes(key), option, answer -> {
      if (answer.isCreatedNotify()) events.add("created");
      for (WatchEvent event : answer.getEvents()) {
        KeyValue pair = event.getKeyValue();
        events.add(event.getEventType() + " " + pair.getKey() + "=" + pair.getValue());
      }
    }, error -> events.add(describe(error)));
  }

  private static StreamObserver<LeaseKeepAliveResponse> collecting(BlockingQueue<Long> answers) {
    return new StreamObserver<>() {
      @Override
      public void onNext(LeaseKeepAliveResponse answer) {
        answers.add(answer.getTTL());
      }

      @Override
      public void onError(Throwable error) {
        answers.add(-1L);
      }

      @Override
      public void onCompleted() {}
    };
  }

  private static Election.Listener observing(BlockingQueue<String> observed) {
    return new Election.Listener() {
      @Override
      public void onNext(LeaderResponse answer) {
        observed.add(answer.getKv().getValue().toString());
      }

      @Override
      public void onError(Throwable error) {
        observed.add(describe(error));
      }

      @Override
      public void onCompleted() {}
    };
  }

  private static long revision(Client client, ByteSequence key) throws Exception {
    return await(client.getKVClient().get(key)).getKvs().get(0).getCreateRevision();
  }

  private static String value(Client client, String key) throws Exception {
    List<String> found = new ArrayList<>();
    for (KeyValue pair : await(client.getKVClient().get(bytes(key))).getKvs()) found.add(pair.getValue().toString());
    return String.join(",", found);
  }

  private static ByteSequence bytes(String text) {
    return ByteSequence.from(text, UTF_8);
  }

  private static <T> T await(CompletableFuture<T> future) throws Exception {
    return future.get(PATIENCE_S, TimeUnit.SECONDS);
  }

  private static <T> T next(BlockingQueue<T> queue) throws Exception {
    T element = queue.poll(PATIENCE_S, TimeUnit.SECONDS);
    if (element == null) throw new AssertionError("nothing came in time");
    return element;
  }

  private static void refused(CompletableFuture<?> future, String words) throws Exception {
    Object answer;
    try {
      answer = await(future);
    } catch (ExecutionException failure) {
      contains(describe(failure), words);
      return;
    }
    throw new AssertionError("got " + answer + ", expected " + words);
  }

  private static void contains(String text, String words) {
    if (!text.contains(words)) throw new AssertionError("got " + text + ", expected " + words);
  }

  private static void equal(Object got, Object expected) {
    if (!got.equals(expected)) throw new AssertionError("got " + got + ", expected " + expected);
  }

  private static String describe(Throwable failure) {
    String place = "";
    for (StackTraceElement frame : failure.getStackTrace()) {
      boolean isScenario = SCENARIOS.containsKey(frame.getMethodName());
      if (isScenario && place.isEmpty()) place = " at line " + frame.getLineNumber();
    }
    String cause = failure.getCause() == null ? "" : ", for " + failure.getCause();
    return failure + cause + place;
  }

  private static String escaped(String text) {
    return text.replaceAll("[\\\\\"\\p{Cntrl}]", "'");
  }
}
