// Exports one agent span with three calls to a model, as one batch: node export.mjs json|proto|grpc URL TENANT [gzip]
import { Metadata } from '@grpc/grpc-js';
import { SpanKind, context, trace } from '@opentelemetry/api';
import { OTLPTraceExporter as Grpc } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as Json } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as Proto } from '@opentelemetry/exporter-trace-otlp-proto';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

const [protocol, url, tenant, compression = 'none'] = process.argv.slice(2);
const authorization = `Bearer ${process.env.SWITCHGEAR_API_KEY}`;
const metadata = new Metadata();
metadata.set('authorization', authorization);

const made = new InMemorySpanExporter();
const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: made })] });
const tracer = provider.getTracer('agent', '1');

const agent = tracer.startSpan('agent', {
  attributes: { 'gen_ai.operation.name': 'invoke_agent', 'switchgear.tenant': tenant },
});
const inside = trace.setSpan(context.active(), agent);
for (const number of [0, 1, 2]) {
  const attributes = {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': 'gpt-4o-mini',
    'gen_ai.response.id': `chatcmpl-${number}`,
    'gen_ai.usage.input_tokens': 1000,
    'gen_ai.usage.output_tokens': 100,
    'switchgear.tenant': tenant,
  };
  tracer.startSpan('chat', { kind: SpanKind.CLIENT, attributes }, inside).end();
}
agent.end();

const exporter = {
  json: () => new Json({ url, compression, headers: { authorization } }),
  proto: () => new Proto({ url, compression, headers: { authorization } }),
  grpc: () => new Grpc({ url, compression, metadata }),
}[protocol]();
exporter.export(made.getFinishedSpans(), async ({ code, error }) => {
  console.log(code === 0 ? 'exported' : `failed: ${error?.message}`);
  await exporter.shutdown();
});
