"""The networks, by name: small ones of our own, made to be quantised to int8, and those that they are compared with.

Inputs are pictures as they are, 0..255; what scaling there is happens inside, so that the machine needs none. A classifier's answers are
logits.
"""

from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf
from keras import layers

from coinsorter.errors import InputError
from coinsorter.training.fitting import pretrained
from coinsorter.training.recipe import (
    AutoencoderSettings,
    ClassifierSettings,
    DefectDetectorSettings,
)

# Keras' own 0.99 (0.999 in MobileNetV2) lags behind on small sets: validation stays at chance for epochs; 0.9 follows in a dozen steps.
BATCH_NORM_MOMENTUM = 0.9
# MobileNetV2's width: at 1.0 it has 2.3 million weights, more than a bundle's 1.5 MB.
MOBILENET_V2_ALPHA = 0.35


def check_weights(knobs: ClassifierSettings) -> None:
    """Raises InputError where the weights that the knobs name are missing; published ones are fetched."""
    if knobs.network.startswith("mobilenet"):
        _weights(knobs)


def build_classifier(size_px: int, classes: int, knobs: ClassifierSettings) -> keras.Model:
    """(n, size, size, 3) 0..255 -> logits (n, classes), the network that the knobs name. Raises InputError where its weights are missing."""
    pictures = layers.Input((size_px, size_px, 3))
    features = CLASSIFIERS[knobs.network](layers.Rescaling(1 / 127.5, -1)(pictures), knobs)
    return keras.Model(pictures, layers.Dense(classes, name="logits")(features), name="classifier")


def add_embedding_output(model: keras.Model) -> keras.Model:
    """A classifier that tells its embedding, what its last layer decides by, beside its logits."""
    return keras.Model(
        model.inputs, [*model.outputs, model.get_layer("logits").input], name=model.name
    )


def build_autoencoder(size_px: int, knobs: AutoencoderSettings) -> keras.Model:
    """(n, size, size, 3) 0..255 -> the same at half the size, through a code of a few numbers, by the network that the knobs name."""
    pictures = layers.Input((size_px, size_px, 3))
    copy = AUTOENCODERS[knobs.network](layers.Rescaling(1 / 127.5, -1)(pictures), size_px, knobs)
    return keras.Model(pictures, layers.Rescaling(127.5, 127.5)(copy), name="autoencoder")


def build_defect_detector(size_px: int, knobs: DefectDetectorSettings) -> keras.Model:
    """(n, size, size, 3) 0..255 -> at half the size, how likely each place is blemished: logits (n, size / 2, size / 2, 1).

    After U-Net (Ronneberger et al., 2015): what is fine comes from the first layers, what is usual there from the last.
    """
    pictures = layers.Input((size_px, size_px, 3))
    halves = _convolution(layers.Rescaling(1 / 127.5, -1)(pictures), knobs.width, 3, 2)
    quarters = _halved(halves, 2 * knobs.width)
    eighths = _halved(quarters, 3 * knobs.width)
    x = _halved(eighths, 4 * knobs.width)
    for finer, channels in ((eighths, 3), (quarters, 2), (halves, 1)):
        x = _convolution(
            layers.Concatenate()([layers.UpSampling2D(2)(x), finer]), channels * knobs.width, 3, 1
        )
    return keras.Model(pictures, layers.Conv2D(1, 1)(x), name="inspector")


def _halved(x, channels: int):
    return _convolution(_convolution(x, channels, 3, 2), channels, 3, 1)


@keras.saving.register_keras_serializable("coinsorter")
class Relu6(layers.Layer):
    """ReLU6 that rounds to the 256 levels of int8 while it is trained, so that the network learns to live with them (Jacob et al., 2018)."""

    def call(self, x, training: bool = False):
        x = keras.ops.relu6(x)
        return tf.quantization.fake_quant_with_min_max_args(x, 0, 6) if training else x


def _separable_small(x, knobs: ClassifierSettings):
    """After MobileNet (Howard et al., 2017), but for 64 px: 4 halvings, 8 convolutions."""
    x = _convolution(x, knobs.width, 3, 2)
    for channels, stride in ((2, 1), (2.5, 2), (4, 1), (5, 2), (5, 1), (6.5, 2), (6.5, 1)):
        x = _separable(x, int(channels * knobs.width), stride)
    return layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))


def _two_conv(x, knobs: ClassifierSettings):
    """The textbook's: two convolutions of 4x4, each pooled 3x3, and a dense layer of 128."""
    for channels in (32, 64):
        x = layers.MaxPooling2D(3)(layers.Conv2D(channels, 4, activation="relu")(x))
    return layers.Dense(128, activation="relu")(layers.Flatten()(x))


def _three_conv(x, knobs: ClassifierSettings):
    """Another textbook's: three convolutions of 3x3, each pooled, a dense layer of 256, half of it dropped out."""
    for channels in (32, 64, 128):
        x = layers.MaxPooling2D(2)(layers.Conv2D(channels, 3, activation="relu")(x))
    return layers.Dropout(0.5)(layers.Dense(256, activation="relu")(layers.Flatten()(x)))


def _mobilenet_v1(x, knobs: ClassifierSettings):
    """MobileNetV1 (Howard et al., 2017) of width 0.25."""
    base = _pretrained(
        knobs,
        lambda weights: keras.applications.MobileNet(
            x.shape[1:], alpha=0.25, include_top=False, weights=weights
        ),
    )
    return layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(base(x)))


def _mobilenet_v2(x, knobs: ClassifierSettings):
    """MobileNetV2 (Sandler et al., 2018)."""
    alpha = MOBILENET_V2_ALPHA
    base = _pretrained(
        knobs,
        lambda weights: keras.applications.MobileNetV2(
            x.shape[1:], alpha=alpha, include_top=False, weights=weights
        ),
    )
    return layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(base(x)))


def _pretrained(
    knobs: ClassifierSettings, build: Callable[[str | None], keras.Model]
) -> keras.Model:
    try:
        base = build(_weights(knobs))
    except ValueError as error:  # Keras: another architecture's weights
        raise InputError(
            f"classifier.weights: {knobs.weights} does not fit {knobs.network}: {str(error).splitlines()[0]}"
        ) from error
    for layer in base.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM
    rounded = keras.models.clone_model(
        base,
        clone_function=lambda layer: Relu6() if isinstance(layer, layers.ReLU) else _copied(layer),
    )
    rounded.set_weights(base.get_weights())
    return rounded


def _copied(layer: layers.Layer) -> layers.Layer:
    return layer.__class__.from_config(layer.get_config())


def _weights(knobs: ClassifierSettings) -> str | None:
    if knobs.weights == "none":
        return None
    if knobs.weights == "imagenet":
        return str(pretrained.fetch_weights(knobs.network))
    if not Path(knobs.weights).is_file():
        raise InputError(
            f"classifier.weights: {knobs.weights} is no file; name one, or imagenet, or none"
        )
    return knobs.weights


def _squeezing(x, size_px: int, knobs: AutoencoderSettings):
    width, smallest = knobs.width, size_px // 16
    for channels in (1, 2, 3, 4):
        x = _convolution(x, channels * width, 4, 2)
    x = layers.Conv2D(knobs.code, smallest)(x)
    x = layers.Conv2D(smallest * smallest * 4 * width, 1)(x)
    x = Relu6()(x)
    x = layers.Reshape((smallest, smallest, 4 * width))(x)
    for channels in (3, 2, 1):
        x = layers.UpSampling2D(2)(x)
        x = _convolution(x, channels * width, 3, 1)
    return layers.Conv2D(3, 3, padding="same")(x)


def _conv_128(x, size_px: int, knobs: AutoencoderSettings):
    """The textbook's: 32, 64 and 128 channels, a bottleneck of 256, the mirrored way back; here to half the size, as the machine compares."""
    for channels in (32, 64, 128):
        x = _convolution(x, channels, 3, 2)
    shape = x.shape[1:]
    x = layers.Dense(256, activation="relu")(layers.Flatten()(x))
    x = layers.Reshape(shape)(layers.Dense(shape[0] * shape[1] * shape[2], activation="relu")(x))
    for channels in (64, 32):
        x = layers.Conv2DTranspose(channels, 3, strides=2, padding="same", use_bias=False)(x)
        x = Relu6()(layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x))
    return layers.Conv2D(3, 3, padding="same")(x)


def _convolution(x, channels: int, size: int, stride: int):
    x = layers.Conv2D(channels, size, strides=stride, padding="same", use_bias=False)(x)
    return Relu6()(layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x))


def _separable(x, channels: int, stride: int):
    x = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(x)
    x = Relu6()(layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x))
    return _convolution(x, channels, 1, 1)


CLASSIFIERS = {
    "separable": _separable_small,
    "mobilenet-v1-025": _mobilenet_v1,
    "mobilenet-v2": _mobilenet_v2,
    "two-conv": _two_conv,
    "three-conv": _three_conv,
}
AUTOENCODERS = {"squeezing": _squeezing, "conv-128": _conv_128}
