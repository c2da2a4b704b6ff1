// A Node program to watch: argv[2] says what it keeps in each iteration.
'use strict';
const fs = require('fs');

const what = process.argv[2] || 'clean';
const mark = Number(process.env.PLIMSOLL_MARK_FD || -1);
const kept = [];
for (let i = 0; i < 400; ++i) {
  // Outside V8's own heap: malloc'ed, and given back when it is collected.
  if (what === 'buffers') kept.push(Buffer.alloc(65536, 1));
  if (mark >= 0) fs.writeSync(mark, '.');
}
