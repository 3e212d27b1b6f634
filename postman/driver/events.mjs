// What the driver tells harness/lambda_dyno/load/drivers/newman.py: one JSON object a line.

export function emit(event) {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}
