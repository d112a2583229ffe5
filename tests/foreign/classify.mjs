// Classifies the photo on standard input as users of Hugging Face's library do.
import { buffer } from "node:stream/consumers";
import { InferenceClient } from "@huggingface/inference";

const url = process.argv[2];
const data = new Blob([await buffer(process.stdin)], { type: "image/jpeg" });
const classify = (query) =>
  new InferenceClient(process.env.KEY).endpoint(url + query).imageClassification({ data });

const plain = await classify("");
const two = await classify("/?top_k=2");
const refused = await classify("/?top_k=0").then(
  () => "",
  (error) => JSON.stringify(error.httpResponse.body),
);
console.log(JSON.stringify({ plain, two, refused }));
