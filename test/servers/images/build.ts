import { buildElasticsearchImage } from "./elasticsearch.ts";
import { buildNodeImages } from "./node.ts";

// node test/servers/images/build.ts elasticsearch|node-build|node: makes an image and prints its name.
const kind = process.argv[2];
if (kind === "elasticsearch") console.log(await buildElasticsearchImage());
else if (kind === "node") console.log((await buildNodeImages()).runtime);
else if (kind === "node-build") console.log((await buildNodeImages()).build);
else throw new Error("usage: build.ts elasticsearch | node | node-build");
