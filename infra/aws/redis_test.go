package aws

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/infra/redis"
)

// elsewhere are directives of redis.conf that a parameter group cannot say.
var elsewhere = map[string]string{
	"appendonly":  "ElastiCache has no append-only file; replicas take its place",
	"appendfsync": "the same",
	"save":        "snapshots are SnapshotRetentionLimit",
}

// ours are parameters that redis.conf has no line for.
var ours = map[string]string{"cluster-enabled": "follows from Shards"}

// wanted reads redis.conf as parameters of a group.
func wanted(t *testing.T) map[string]string {
	t.Helper()
	want := map[string]string{}
	for line := range strings.Lines(redis.Conf) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || fields[0] == "#" || strings.HasPrefix(fields[0], "#"):
		case elsewhere[fields[0]] != "":
		case fields[0] == "client-output-buffer-limit":
			if len(fields) != 5 {
				t.Fatalf("unexpected: %s", line)
			}
			prefix := fields[0] + "-" + fields[1] + "-"
			want[prefix+"hard-limit"] = bytesOf(t, fields[2])
			want[prefix+"soft-limit"] = bytesOf(t, fields[3])
			want[prefix+"soft-seconds"] = fields[4]
		case len(fields) == 2:
			want[fields[0]] = fields[1]
		default:
			t.Fatalf("unexpected: %s", line)
		}
	}
	return want
}

func bytesOf(t *testing.T, text string) string {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSuffix(text, "mb"))
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(n << 20)
}

func TestTheParameterGroupSaysWhatRedisConfSays(t *testing.T) {
	t.Parallel()
	group := at(load(t).properties("RedisParameters"), "Properties").(map[string]any)
	want := wanted(t)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got := group[name]; got != want[name] {
			t.Errorf("%s is %v, redis.conf says %s", name, got, want[name])
		}
	}
	for name := range group {
		if want[name] == "" && ours[name] == "" {
			t.Errorf("%s is set here, but redis.conf does not know it", name)
		}
	}
}

// The two that the promises hang on are named, so that changing redis.conf and
// the template together does not go unnoticed.
func TestRedisTellsOfExpiryAndEvictsNothing(t *testing.T) {
	t.Parallel()
	group := at(load(t).properties("RedisParameters"), "Properties")
	if at(group, "notify-keyspace-events") != "Ex" || at(group, "maxmemory-policy") != "noeviction" {
		t.Errorf("events %v, policy %v", at(group, "notify-keyspace-events"), at(group, "maxmemory-policy"))
	}
}

func TestRedisIsNodeBasedReplicatedAndEncrypted(t *testing.T) {
	t.Parallel()
	tpl := load(t)
	if s := tpl.ofType("AWS::ElastiCache::ServerlessCache"); len(s) > 0 {
		t.Errorf("%s is serverless, which has no keyspace events and evicts leases", s)
	}
	for shards, mode := range map[string]string{"1": "disabled", "3": "enabled"} {
		r := tpl.with(map[string]string{"Shards": shards})
		cluster := r.value(tpl.properties("Redis"))
		for name, want := range map[string]string{
			"MultiAZEnabled": "true", "AutomaticFailoverEnabled": "true", "TransitEncryptionEnabled": "true",
			"AtRestEncryptionEnabled": "true", "AuthToken": "{{resolve:secretsmanager:${RedisToken}}}",
			"NumNodeGroups": shards, "ClusterMode": mode,
		} {
			if got := at(cluster, name); got != want {
				t.Errorf("with %s shards: %s is %v, want %s", shards, name, got, want)
			}
		}
		group := r.value(at(tpl.properties("RedisParameters"), "Properties", "cluster-enabled"))
		if want := map[string]string{"disabled": "no", "enabled": "yes"}[mode]; group != want {
			t.Errorf("with %s shards: cluster-enabled is %v, want %s", shards, group, want)
		}
	}
	if v := text(tpl.properties("Redis"), "EngineVersion"); !strings.HasPrefix(v, "7.") {
		t.Errorf("engine version %s, but scripts are tested on 7", v)
	}
	if at(tpl.Resources, "Redis", "DeletionPolicy") != "Snapshot" {
		t.Error("deleting the stack deletes the registry without a snapshot")
	}
}

func TestTheAddressOfRedisFitsItsMode(t *testing.T) {
	t.Parallel()
	tpl := load(t)
	for shards, want := range map[string]string{
		"1": "rediss://:{{resolve:secretsmanager:${RedisToken}}}@${Redis.PrimaryEndPoint.Address}:6379",
		"3": "rediss://:{{resolve:secretsmanager:${RedisToken}}}@${Redis.ConfigurationEndPoint.Address}:6379",
	} {
		got := tpl.with(map[string]string{"Shards": shards}).value(at(tpl.properties("RedisAddress"), "SecretString"))
		if got != want {
			t.Errorf("with %s shards:\ngot  %v\nwant %s", shards, got, want)
		}
	}
}
