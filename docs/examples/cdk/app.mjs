// Orders, with the CDK. The memory size is a key of the context, so a file has it: cdk.json.
import { App, CfnOutput, Stack } from "aws-cdk-lib";
import { CfnApi, CfnIntegration, CfnRoute, CfnStage } from "aws-cdk-lib/aws-apigatewayv2";
import { ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Architecture, Code, Function, Runtime } from "aws-cdk-lib/aws-lambda";

const app = new App();
const stack = new Stack(app, "orders");

const orders = new Function(stack, "Orders", {
  runtime: Runtime.PYTHON_3_13,
  architecture: Architecture.ARM_64,
  handler: "app.handler",
  code: Code.fromAsset("src"),
  memorySize: stack.node.tryGetContext("orders").memoryMb,
});

const api = new CfnApi(stack, "Api", { name: "orders", protocolType: "HTTP" });
new CfnStage(stack, "Stage", { apiId: api.ref, stageName: "$default", autoDeploy: true });
const integration = new CfnIntegration(stack, "Integration", {
  apiId: api.ref,
  integrationType: "AWS_PROXY",
  integrationUri: orders.functionArn,
  payloadFormatVersion: "2.0",
});
new CfnRoute(stack, "Route", {
  apiId: api.ref,
  routeKey: "GET /orders/{id}",
  target: `integrations/${integration.ref}`,
});
orders.addPermission("Api", {
  principal: new ServicePrincipal("apigateway.amazonaws.com"),
  sourceArn: stack.formatArn({ service: "execute-api", resource: api.ref, resourceName: "*" }),
});

new CfnOutput(stack, "ApiUrl", { value: api.attrApiEndpoint });
new CfnOutput(stack, "FunctionName", { value: orders.functionName });
