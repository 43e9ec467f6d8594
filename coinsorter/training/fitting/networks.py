"""The networks, by name: small ones of our own, and those that they are compared with.

Ours are made to be quantised to int8. Inputs are crops as they are, 0..255; they are scaled inside,
so that the machine need not. A classifier's outputs are logits.
"""

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from coinsorter.errors import InputError
from coinsorter.recognition.views import UNWRAPPED_SHAPE
from coinsorter.training.fitting import pretrained
from coinsorter.training.recipe import (
    AutoencoderSettings,
    ClassifierSettings,
    DefectDetectorSettings,
    GateSettings,
)

#: Momentum of batch normalisation. Keras' own 0.99 (0.999 in MobileNetV2) is too slow for small
#: sets: validation stays at chance for epochs. With 0.9 it follows within a dozen steps.
BATCH_NORM_MOMENTUM = 0.9

#: Width of MobileNetV2: at 1.0 it has 2.3 million weights, more than a bundle's 2 MB.
MOBILENET_V2_ALPHA = 0.35

#: Width of MobileNetV1, the smallest that is published with weights.
MOBILENET_V1_ALPHA = 0.25

#: The greatest activation of ReLU6.
RELU6_MAX = 6.0
#: Standard deviation of the noise on features that an autoencoder is trained with, of 1.
FEATURE_NOISE = 0.05

#: Half the range of an input, 0..255: inputs are scaled to -1..1 by it.
HALF_RANGE = 127.5

#: Channels, as a multiple of the first layer's, and strides of the separable convolutions.
SEPARABLE_LAYERS = ((2, 1), (2.5, 2), (4, 1), (5, 2), (5, 1), (6.5, 2), (6.5, 1))

#: Blocks of MobileNetV1 that a pyramid is made of: the last ones a quarter and an eighth as fine.
PYRAMID_BLOCKS = (3, 5)

#: Channels, as a multiple of the width, and strides of the convolutions round the coin.
POLAR_LAYERS = ((1, 2), (1, 1), (1.5, 2), (2, 1), (3, 2))

#: A KerasTensor, a layer's output while a network is put together: Keras ships no types.
Tensor = Any


def check_weights(settings: ClassifierSettings | GateSettings | DefectDetectorSettings) -> None:
    """Fetches the published weights that the settings name; raises InputError without them."""
    if settings.network.startswith("mobilenet"):
        _find_weights(settings)


def reset_layer_names() -> None:
    """Numbers the layers that follow from 0, whatever was trained before.

    Their names are in the bundle's files.
    """
    keras.utils.clear_session()


def build_classifier(size_px: int, classes: int, settings: ClassifierSettings) -> keras.Model:
    """A network (n, size, size, 3) 0..255 -> logits (n, classes).

    "polar" takes crops as `views.unwrap_crop` gives them. Raises InputError where its weights are
    missing.
    """
    shape = UNWRAPPED_SHAPE if settings.network == "polar" else (size_px, size_px, 3)
    crops = layers.Input(shape)
    build = CLASSIFIERS[settings.network]
    features = build(_scale_input(crops), settings)
    logits = layers.Dense(classes, name="logits")(features)
    return keras.Model(crops, logits, name="classifier")


def add_embedding_output(model: keras.Model) -> keras.Model:
    """A classifier with a second output, the embedding: what its last layer decides by."""
    embedding = model.get_layer("logits").input
    return keras.Model(model.inputs, [*model.outputs, embedding], name=model.name)


def build_autoencoder(size_px: int, settings: AutoencoderSettings) -> keras.Model:
    """A network (n, size, size, 3) 0..255 -> the same crops at half the size.

    What it knows of them passes through a code of a few numbers.
    """
    crops = layers.Input((size_px, size_px, 3))
    build = AUTOENCODERS[settings.network]
    copy = build(_scale_input(crops), size_px, settings)
    copy = layers.Rescaling(HALF_RANGE, HALF_RANGE)(copy)
    return keras.Model(crops, copy, name="autoencoder")


def build_gate(size_px: int, classes: int, settings: GateSettings) -> keras.Model:
    """A network (n, size, size, 3) 0..255 -> logits (n, classes), the last of "none of these".

    It looks at crops enlarged or reduced to the settings' size. Raises InputError where its weights
    are missing.
    """
    crops = layers.Input((size_px, size_px, 3))
    x = crops
    if size_px != settings.size_px:
        x = layers.Resizing(settings.size_px, settings.size_px)(crops)
    features = _build_trunk(_scale_input(x), settings)
    pooled = layers.GlobalAveragePooling2D()(features)
    logits = layers.Dense(classes, name="logits")(layers.Dropout(0.2)(pooled))
    return keras.Model(crops, logits, name="gate")


def _build_trunk(x: Tensor, settings: ClassifierSettings | GateSettings) -> Tensor:
    """The first blocks of MobileNetV1 (Howard et al., 2017); further on they are of ImageNet."""

    def build(weights: str | None) -> keras.Model:
        whole = _build_mobilenet(x, weights)
        return keras.Model(whole.input, _find_block(whole, settings.blocks), name="trunk")

    return _build_pretrained(settings, build)(x)


def _build_mobilenet(x: Tensor, weights: str | None) -> keras.Model:
    return keras.applications.MobileNet(
        x.shape[1:], alpha=MOBILENET_V1_ALPHA, include_top=False, weights=weights
    )


def _find_block(mobilenet: keras.Model, block: int) -> Tensor:
    return mobilenet.get_layer(f"conv_pw_{block}_relu").output


def build_feature_autoencoder(exposed: keras.Model, code: int) -> keras.Model:
    """A network (n, size, size, 3) 0..255 -> errors (n, rows, columns, 1) of features.

    The features are those that a trained gate, or an exposed classifier, takes the mean of: its
    trunk, which stays as it is. They pass through a code
    of a few numbers at each place, and what comes back is compared with what went in, as in
    feature-reconstruction methods (EfficientAD: Batzner et al., 2024). An error is the mean
    absolute difference over the channels: squares of small differences are lost in int8.
    """
    features = keras.Model(exposed.inputs, _find_pooling(exposed).input, name="features")
    features.trainable = False
    crops = layers.Input(exposed.input_shape[1:])
    scaled = layers.Rescaling(1 / RELU6_MAX)(features(crops, training=False))
    channels = scaled.shape[-1]
    x = layers.GaussianNoise(FEATURE_NOISE)(scaled)
    x = layers.Conv2D(channels, 1, activation="relu")(x)
    x = layers.Conv2D(code, 1)(x)
    x = layers.Conv2D(channels, 3, padding="same", activation="relu")(x)
    copy = layers.Conv2D(channels, 1)(x)
    difference = layers.Subtract()([scaled, copy])
    sizes = layers.Activation(keras.ops.abs)(difference)
    errors = layers.Conv2D(
        1,
        1,
        use_bias=False,
        kernel_initializer=keras.initializers.Constant(1 / channels),
        trainable=False,
        name="mean",
    )(sizes)
    return keras.Model(crops, errors, name="autoencoder")


def _find_pooling(model: keras.Model) -> layers.Layer:
    is_pooling = (isinstance(layer, layers.GlobalAveragePooling2D) for layer in model.layers)
    return model.layers[list(is_pooling).index(True)]


def build_defect_detector(size_px: int, settings: DefectDetectorSettings) -> keras.Model:
    """A network (n, size, size, 3) 0..255 -> logits (n, rows, columns, 1) of a defect there.

    Raises InputError where its weights are missing.
    """
    crops = layers.Input((size_px, size_px, 3))
    build = DEFECT_DETECTORS[settings.network]
    logits = layers.Conv2D(1, 1)(build(_scale_input(crops), settings))
    return keras.Model(crops, logits, name="inspector")  # the name is in the bundle's file


def _build_u_net(x: Tensor, settings: DefectDetectorSettings) -> Tensor:
    """After U-Net (Ronneberger et al., 2015), half as fine as the crop.

    Fine detail comes from the first layers, what is usual at a place from the last.
    """
    width = settings.width
    halves = _convolve(x, width, 3, 2)
    quarters = _downsample(halves, 2 * width)
    eighths = _downsample(quarters, 3 * width)
    x = _downsample(eighths, 4 * width)
    for finer, channels in ((eighths, 3), (quarters, 2), (halves, 1)):
        x = layers.UpSampling2D(2)(x)
        x = layers.Concatenate()([x, finer])
        x = _convolve(x, channels * width, 3, 1)
    return x


def _build_pyramid(x: Tensor, settings: DefectDetectorSettings) -> Tensor:
    """After feature pyramids (Lin et al., 2017), on MobileNetV1, a quarter as fine as the crop."""

    def build(weights: str | None) -> keras.Model:
        whole = _build_mobilenet(x, weights)
        outputs = [_find_block(whole, block) for block in PYRAMID_BLOCKS]
        return keras.Model(whole.input, outputs, name="trunk")

    channels = 2 * settings.width
    quarters, eighths = _build_pretrained(settings, build)(x)
    x = layers.UpSampling2D(2)(_convolve(eighths, channels, 1, 1))
    x = layers.Concatenate()([x, quarters])
    return _convolve(x, channels, 3, 1)


def _scale_input(crops: Tensor) -> Tensor:
    return layers.Rescaling(1 / HALF_RANGE, -1)(crops)


@keras.saving.register_keras_serializable("coinsorter")
class Relu6(layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """ReLU6 that rounds to the 256 levels of int8 while it is trained.

    So the network learns to work with them (Jacob et al., 2018).
    """

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        """The activations of x, of the same shape."""
        x = keras.ops.relu6(x)
        return tf.quantization.fake_quant_with_min_max_args(x, 0, 6) if training else x


def _build_separable(x: Tensor, settings: ClassifierSettings) -> Tensor:
    """After MobileNet (Howard et al., 2017), but for 64 px: 4 halvings, 8 convolutions."""
    x = _convolve(x, settings.width, 3, 2)
    for channels, stride in SEPARABLE_LAYERS:
        x = _convolve_separably(x, int(channels * settings.width), stride)
    return _pool_features(x)


def _build_polar(x: Tensor, settings: ClassifierSettings) -> Tensor:
    """Convolutions that go round the coin, 3 halvings, and one over all radii.

    After the networks on polar images of Esteves et al. (ICLR 2018): a rotation of the coin is a
    shift, and the mean over the angles the same.
    """
    for channels, stride in POLAR_LAYERS:
        x = _convolve_round(x, int(channels * settings.width), 3, stride)
    x = _convolve_round(x, 4 * settings.width, x.shape[1], 1, padding="valid")
    return _pool_features(x)


def _build_two_conv(x: Tensor, settings: ClassifierSettings) -> Tensor:
    """A textbook's: two convolutions of 4x4, each pooled 3x3, and a dense layer of 128."""
    for channels in (32, 64):
        x = layers.Conv2D(channels, 4, activation="relu")(x)
        x = layers.MaxPooling2D(3)(x)
    x = layers.Flatten()(x)
    return layers.Dense(128, activation="relu")(x)


def _build_three_conv(x: Tensor, settings: ClassifierSettings) -> Tensor:
    """Another textbook's: three pooled convolutions of 3x3, a dense layer of 256, half dropped."""
    for channels in (32, 64, 128):
        x = layers.Conv2D(channels, 3, activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    dropout = layers.Dropout(0.5)  # made before the dense layer: each draws a seed
    x = layers.Flatten()(x)
    x = layers.Dense(256, activation="relu")(x)
    return dropout(x)


def _build_mobilenet_v1(x: Tensor, settings: ClassifierSettings) -> Tensor:
    return _pool_features(_build_trunk(x, settings))


def _build_mobilenet_v2(x: Tensor, settings: ClassifierSettings) -> Tensor:
    """MobileNetV2 (Sandler et al., 2018)."""

    def build(weights: str | None) -> keras.Model:
        return keras.applications.MobileNetV2(
            x.shape[1:], alpha=MOBILENET_V2_ALPHA, include_top=False, weights=weights
        )

    base = _build_pretrained(settings, build)
    return _pool_features(base(x))


def _pool_features(x: Tensor) -> Tensor:
    x = layers.GlobalAveragePooling2D()(x)
    return layers.Dropout(0.2)(x)


def _build_pretrained(
    settings: ClassifierSettings | GateSettings | DefectDetectorSettings,
    build: Callable[[str | None], keras.Model],
) -> keras.Model:
    """A published network with its weights, its activations rounding to int8's levels."""
    try:
        base = build(_find_weights(settings))
    except ValueError as error:  # of Keras: the weights are another network's
        reason = str(error).splitlines()[0]
        raise InputError(
            f"weights: {settings.weights} does not fit {settings.network}: {reason}"
        ) from error
    for layer in base.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM
    rounded = keras.models.clone_model(base, clone_function=_replace_relu)
    rounded.set_weights(base.get_weights())
    return rounded


def _replace_relu(layer: layers.Layer) -> layers.Layer:
    if isinstance(layer, layers.ReLU):
        return Relu6()
    return layer.__class__.from_config(layer.get_config())


def _find_weights(
    settings: ClassifierSettings | GateSettings | DefectDetectorSettings,
) -> str | None:
    """The file of the weights to start from; None to start from nothing."""
    if settings.weights == "none":
        return None
    if settings.weights == "imagenet":
        return str(pretrained.fetch_weights(settings.network))
    if not Path(settings.weights).is_file():
        raise InputError(f"weights: {settings.weights} is no file; name one, or imagenet, or none")
    return settings.weights


def _build_squeezing(x: Tensor, size_px: int, settings: AutoencoderSettings) -> Tensor:
    width = settings.width
    smallest = size_px // 16
    for channels in (1, 2, 3, 4):
        x = _convolve(x, channels * width, 4, 2)
    x = layers.Conv2D(settings.code, smallest)(x)
    shape = (smallest, smallest, 4 * width)
    x = layers.Conv2D(prod(shape), 1)(x)
    x = Relu6()(x)
    x = layers.Reshape(shape)(x)
    for channels in (3, 2, 1):
        x = layers.UpSampling2D(2)(x)
        x = _convolve(x, channels * width, 3, 1)
    return layers.Conv2D(3, 3, padding="same")(x)


def _build_conv_128(x: Tensor, size_px: int, settings: AutoencoderSettings) -> Tensor:
    """A textbook's: 32, 64 and 128 channels, a bottleneck of 256, and the mirrored way back.

    Here it ends at half the size, which is what the machine compares.
    """
    for channels in (32, 64, 128):
        x = _convolve(x, channels, 3, 2)
    shape = x.shape[1:]
    x = layers.Flatten()(x)
    x = layers.Dense(256, activation="relu")(x)
    x = layers.Dense(prod(shape), activation="relu")(x)
    x = layers.Reshape(shape)(x)
    for channels in (64, 32):
        x = layers.Conv2DTranspose(channels, 3, strides=2, padding="same", use_bias=False)(x)
        x = _normalize(x)
    return layers.Conv2D(3, 3, padding="same")(x)


def _downsample(x: Tensor, channels: int) -> Tensor:
    x = _convolve(x, channels, 3, 2)
    return _convolve(x, channels, 3, 1)


def _convolve(x: Tensor, channels: int, size: int, stride: int) -> Tensor:
    x = layers.Conv2D(channels, size, strides=stride, padding="same", use_bias=False)(x)
    return _normalize(x)


def _convolve_separably(x: Tensor, channels: int, stride: int) -> Tensor:
    x = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(x)
    return _convolve(_normalize(x), channels, 1, 1)


def _convolve_round(
    x: Tensor, channels: int, rows: int, stride: int, padding: str = "same"
) -> Tensor:
    """A convolution of `rows` x 3, its columns going on at the other end.

    padding: at the first and the last row.
    """
    ends = [x[:, :, -1:], x] if stride > 1 else [x[:, :, -1:], x, x[:, :, :1]]
    x = layers.Concatenate(axis=2)(ends)
    if padding == "same":
        x = layers.ZeroPadding2D((rows // 2, 0))(x)
    x = layers.Conv2D(channels, (rows, 3), strides=stride, use_bias=False)(x)
    return _normalize(x)


def _normalize(x: Tensor) -> Tensor:
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x)
    return Relu6()(x)


#: By `ClassifierSettings.network`: scaled views of crops -> what the last layer decides by.
CLASSIFIERS: dict[str, Callable[[Tensor, ClassifierSettings], Tensor]] = {
    "separable": _build_separable,
    "polar": _build_polar,
    "mobilenet-v1-025": _build_mobilenet_v1,
    "mobilenet-v2": _build_mobilenet_v2,
    "two-conv": _build_two_conv,
    "three-conv": _build_three_conv,
}

#: By `AutoencoderSettings.network`: scaled crops -> their copies at half the size, -1..1.
AUTOENCODERS: dict[str, Callable[[Tensor, int, AutoencoderSettings], Tensor]] = {
    "squeezing": _build_squeezing,
    "conv-128": _build_conv_128,
}

#: By `DefectDetectorSettings.network`: scaled crops -> what each place is judged by.
DEFECT_DETECTORS: dict[str, Callable[[Tensor, DefectDetectorSettings], Tensor]] = {
    "u-net": _build_u_net,
    "mobilenet-v1-025": _build_pyramid,
}
