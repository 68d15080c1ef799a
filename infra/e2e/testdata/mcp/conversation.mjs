// Two agents converse through `claudemesh mcp`, over a client that shares no
// code with the server: it was written by others, in another language.
//
// Its one argument is JSON: {program, agents: [{name, cwd, env}, …]}. It exits
// with 0 when everything below holds, otherwise it says what does not.

import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

const patience = 60_000; // bounds each wait; nothing waits for it to pass

const tools = [
  'check_messages', 'join_group', 'leave_group', 'list_peers',
  'message_status', 'send_message', 'set_status', 'set_summary',
];

class Agent {
  static async start(program, { name, cwd, env }) {
    const a = new Agent();
    a.name = name;
    a.complaints = []; // of the client, such as a line on stdout that is not of the protocol
    a.client = new Client({ name: 'conversation', version: '1' });
    a.client.onerror = (err) => a.complaints.push(err.message);
    await a.client.connect(new StdioClientTransport({ command: program, args: ['mcp', '--name', name], cwd, env }));
    return a;
  }

  // call uses a tool that must succeed. The client checks the result against
  // the schema the tool announced; both forms of the result must be the same.
  async call(tool, args = {}) {
    const result = await this.client.callTool({ name: tool, arguments: args });
    const text = result.content?.[0]?.text;
    assert.ok(!result.isError, `${this.name}: ${tool} fails: ${text}`);
    assert.deepEqual(JSON.parse(text), result.structuredContent, `${this.name}: the text of ${tool} is not its structured result`);
    return result.structuredContent;
  }

  async sees(name) {
    return eventually(`${this.name} sees ${name}`, async () => {
      const { peers } = await this.call('list_peers');
      return { done: peers.some((p) => p.name === name), last: peers };
    });
  }

  async state(id, want) {
    return eventually(`${this.name}'s message is ${want}`, async () => {
      const status = await this.call('message_status', { id });
      return { done: status.state === want, last: status };
    });
  }
}

async function eventually(what, look) {
  const end = Date.now() + patience;
  for (;;) {
    const { done, last } = await look();
    if (done) return last;
    assert.ok(Date.now() < end, `never came true: ${what}; last seen: ${JSON.stringify(last)}`);
    await pause(20);
  }
}

// theOne returns the only message a result carries.
function theOne(what, result) {
  const messages = result.mail?.messages ?? [];
  assert.equal(messages.length, 1, `${what} carries ${JSON.stringify(result)}, want one message`);
  return messages[0];
}

async function converse(ada, ben) {
  for (const a of [ada, ben]) {
    const listed = (await a.client.listTools()).tools;
    const missing = tools.filter((name) => !listed.some((t) => t.name === name));
    assert.deepEqual(missing, [], `${a.name}: tools are missing`);
    for (const t of listed) {
      assert.ok(t.description && t.inputSchema && t.outputSchema, `${a.name}: ${t.name} does not say how it is used`);
    }
  }

  await ada.sees('Ben');
  const sent = await ada.call('send_message', { to: 'Ben', message: 'how far are you?' });
  assert.equal(sent.state, 'stored', `sent: ${JSON.stringify(sent)}`);
  await ada.state(sent.id, 'delivered');

  const question = theOne("Ben's check_messages", await ben.call('check_messages'));
  assert.equal(question.text, 'how far are you?');
  assert.equal(question.from, 'Ada');
  assert.equal(question.verified, true, 'the question is not proven to be from Ada');
  await ada.state(sent.id, 'surfaced');

  const reply = await ben.call('send_message', { to: question.from_key, message: 'half', reply_to: question.message_id });
  await ben.state(reply.id, 'delivered'); // from now on, whatever Ada does next shows it

  const answer = theOne("Ada's next result", await ada.call('set_summary', { summary: 'waiting for Ben' }));
  assert.equal(answer.text, 'half');
  assert.equal(answer.from, 'Ben');
  assert.equal(answer.reply_to, question.message_id, 'the answer does not say to what');
  await ben.state(reply.id, 'surfaced');

  for (const a of [ada, ben]) {
    const more = await a.call('check_messages');
    assert.equal(more.mail, undefined, `${a.name} is shown something again: ${JSON.stringify(more)}`);
  }
}

const agents = [];
try {
  const { program, agents: wanted } = JSON.parse(process.argv[2]);
  for (const w of wanted) agents.push(await Agent.start(program, w));
  await converse(...agents);
  for (const a of agents) {
    assert.deepEqual(a.complaints, [], `${a.name}: the client complains`);
  }
} catch (err) {
  console.error(`conversation failed: ${err.stack ?? err}`);
  for (const a of agents) {
    for (const c of a.complaints) console.error(`${a.name}: the client complained: ${c}`);
  }
  process.exitCode = 1;
} finally {
  await Promise.all(agents.map((a) => a.client.close()));
}
