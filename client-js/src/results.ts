/** What the service answers. */

import type { SenetClientError } from "./errors.js";

/** Which model answered, exactly. */
export interface Model {
  readonly name: string;
  readonly version: string;
  readonly precision: string;
  /** `sha256:<hex>` of the ONNX file. */
  readonly digest: string;
  /** `sha256:<hex>` of how images become the network's input. */
  readonly preprocessing: string;
}

/** An input or output of a model. */
export interface Tensor {
  readonly name: string;
  readonly shape: readonly (string | number)[];
  readonly dtype: string;
  readonly meaning: string;
}

/** A model that the service has loaded. */
export interface LoadedModel extends Model {
  readonly architecture: string;
  readonly provider: string;
  /** Of the network's input, in pixels. */
  readonly height: number;
  readonly width: number;
  /** How many classes it tells apart. */
  readonly labels: number;
  /** Whether photos are turned as their EXIF data say. */
  readonly exifTranspose: boolean;
  readonly outputs: readonly Tensor[];
}

/** What the gates of each SE block did over the photos of a class, channel by channel. */
export interface ClassGates {
  readonly label: string;
  readonly dataset: string;
  /** How many there were. */
  readonly photos: number;
  /** Means and standard deviations over them, by the block's name. */
  readonly blocks: Readonly<Record<string, { readonly mean: readonly number[]; readonly spread: readonly number[] }>>;
}

/** One class for one image. */
export interface Prediction {
  /** 1 for the best. */
  readonly rank: number;
  /** Position among the model's outputs. */
  readonly classIndex: number;
  readonly id: string;
  readonly label: string;
  /** Between 0 and 1; the scores of all classes sum to 1. */
  readonly score: number;
  /** The class activation map [h][w], in units of logits; if it was asked for. */
  readonly cam: readonly (readonly number[])[] | undefined;
}

/** One class of a prediction set. */
export interface SetMember {
  readonly classIndex: number;
  readonly id: string;
  readonly label: string;
  readonly score: number;
}

/** Left, top, right and bottom edge in pixels of the photo, turned as `LoadedModel.exifTranspose` says. */
export type Crop = readonly [number, number, number, number];

/** The answer for one image. */
export interface Classification {
  readonly name: string | undefined;
  readonly model: Model;
  /** By falling score. */
  readonly predictions: readonly Prediction[];
  /** The region that the network saw; undefined from a service that does not tell. */
  readonly crop: Crop | undefined;
  /** The pooled features before the classifier; if they were asked for. */
  readonly embedding: readonly number[] | undefined;
  /** The gates of each SE block, between 0 and 1, by the block's name; if they were asked for. */
  readonly excitations: Readonly<Record<string, readonly number[]>> | undefined;
  /** The classes that hold the true one with the `coverage` asked for, perhaps none; if it was. */
  readonly predictionSet: readonly SetMember[] | undefined;
  /** Its place in its request, which `feedback` asks for. */
  readonly index: number;
  /** Whether the image is unlike those that the model was exported with: its answer means little. */
  readonly rejected: boolean;
  /** Why it was rejected. */
  readonly reason: string | undefined;
  /** The request's name in the service's log. */
  readonly requestId: string;
  /** Milliseconds of each stage, of the slowest image in its request, as the service measured. */
  readonly timing: Readonly<Record<string, number>>;
}

/** One image of several: its classification, or the error that it alone has. */
export type Result = Classification | SenetClientError;

/** The answer to one request. */
export interface Batch {
  readonly model: Model;
  /** One for each image, in order. */
  readonly results: readonly Result[];
  readonly requestId: string;
  /** How often the request was sent. */
  readonly attempts: number;
}
