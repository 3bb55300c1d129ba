// Whether Samband and NAV's validator agree on a file of identity numbers, `number,production,test` a line.
//
//   node identity.mjs FILE      the package @navikt/fnrvalidator must be found from the current folder
//
// Samband takes a number in production when it is a fødselsnummer or a D-number, and at a test gateway when its month is raised by 40 or 80.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const { idnr } = createRequire(process.cwd() + "/")("@navikt/fnrvalidator");
const lines = readFileSync(process.argv[2], "utf8").trimEnd().split("\n");
const counts = { production: 0, test: 0, refused: 0 };
let differing = 0;
for (const line of lines) {
  const [number, production, test] = line.split(",");
  const verdict = idnr(number);
  const theirs = verdict.status !== "valid" ? "refused" : verdict.type === "fnr" || verdict.type === "dnr" ? "production" : "test";
  const ours = production === "true" ? "production" : test === "true" ? "test" : "refused";
  counts[ours] += 1;
  if (ours !== theirs && (differing += 1) <= 10) console.error(`${number}: Samband ${ours}, fnrvalidator ${theirs}`);
}
if (lines.length < 1_000_000 || differing > 0) {
  console.error(`identity: ${differing} of ${lines.length} verdicts differ`);
  process.exit(1);
}
console.log(`identity: ${lines.length} numbers tried, all verdicts agree (${counts.production} real, ${counts.test} synthetic, ${counts.refused} refused)`);
