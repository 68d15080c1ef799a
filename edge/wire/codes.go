package wire

// Codes of refusals in what a mesh shares. [CodeFull] answers whoever would go
// beyond a bound on count or bytes there.
const (
	CodeNotSupported     Code = "not_supported" // this mesh has no such thing
	CodeInvalid          Code = "invalid"       // kick, disconnect, ban and unban: no target, or oneself
	CodePeerNotFound     Code = "peer_not_found"
	CodeTaskNotClaimable Code = "task_not_claimable" // not open, and not stale either
	CodeTaskNotFound     Code = "task_not_found"
	CodeInvalidCron      Code = "invalid_cron"
	CodeTopicNotFound    Code = "topic_not_found"
	CodeInvalidArgs      Code = "invalid_args" // of apikey_create
	CodeVaultError       Code = "vault_error"
	CodeInvalidWebhook   Code = "invalid_webhook"
	CodeWebhookExists    Code = "webhook_exists"
	CodeAuditQueryError  Code = "audit_query_error"
	CodeAuditVerifyError Code = "audit_verify_error"
	CodeNoClock          Code = "no_clock" // there is none to pause or resume
	CodeAddressRefused   Code = "address_refused"

	CodeKeyNotSealed       Code = "key_not_sealed_for_member" // nobody has made a copy yet
	CodeTopicUnencrypted   Code = "topic_unencrypted"         // the topic has no key
	CodeRecipientNotJoined Code = "recipient_not_in_topic"

	CodeDeployError   Code = "deploy_error" // this and the rest: families for later
	CodeUndeployError Code = "undeploy_error"
	CodeScopeError    Code = "scope_error"
	CodeSchemaError   Code = "schema_error"
	CodeQueryError    Code = "query_error"
	CodeExecuteError  Code = "execute_error"
	CodeVectorError   Code = "vector_error"
	CodeGraphError    Code = "graph_error"
)
