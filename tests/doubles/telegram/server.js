// telegram-test-api, whose updates stay until one asks for what comes after them, as core.telegram.org/bots/api has it.
const TelegramServer = require('telegram-test-api');

const server = new TelegramServer({ port: Number(process.argv[2]), host: '127.0.0.1', storeTimeout: 3600 });

function unconfirmed(token, offset) {
  const theirs = server.storage.userMessages.filter((update) => update.botToken === token);
  for (const update of theirs) update.isRead ||= update.updateId < offset;
  return theirs.filter((update) => !update.isRead).map((update) => TelegramServer.formatUpdate(update));
}

const routes = server.webServer;
function answer(request, response) {
  const [, token] = /^\/bot([^/]+)\/getUpdates$/.exec(request.url) ?? [];
  if (!token) return routes(request, response);
  let body = '';
  request.on('data', (part) => { body += part; });
  request.on('end', () => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ ok: true, result: unconfirmed(token, JSON.parse(body || '{}').offset ?? 0) }));
  });
}

server.webServer = Object.assign(answer, routes);
server.start().then(() => console.log('ready'));
