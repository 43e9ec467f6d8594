"""The two networks: a small depthwise-separable classifier and a convolutional autoencoder, made to be quantised to int8.

Inputs are pictures as they are, 0..255; what scaling there is happens inside, so that the machine needs none.
"""

import keras
from keras import layers

from coinsorter.training.recipe import AutoencoderKnobs, ClassifierKnobs

# Keras' own 0.99 lags behind on small sets (validation stays at chance for epochs); 0.9 follows in a dozen steps.
MOMENTUM = 0.9


def classifier(size_px: int, classes: int, knobs: ClassifierKnobs) -> keras.Model:
    """(n, size, size, 3) 0..255 -> logits (n, classes). After MobileNet (Howard et al., 2017), but for 64 px: 4 halvings, 8 convolutions."""
    width = knobs.width
    pictures = layers.Input((size_px, size_px, 3))
    x = layers.Rescaling(1 / 127.5, -1)(pictures)
    x = _convolution(x, width, 3, 2)
    for channels, stride in ((2, 1), (2.5, 2), (4, 1), (5, 2), (5, 1), (6.5, 2), (6.5, 1)):
        x = _separable(x, int(channels * width), stride)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.2)(x)
    return keras.Model(pictures, layers.Dense(classes)(x), name="classifier")


def autoencoder(size_px: int, knobs: AutoencoderKnobs) -> keras.Model:
    """(n, size, size, 3) 0..255 -> the same at half the size, through a code of a few numbers."""
    width = knobs.width
    pictures = layers.Input((size_px, size_px, 3))
    x = layers.Rescaling(1 / 127.5, -1)(pictures)
    for channels in (1, 2, 3, 4):
        x = _convolution(x, channels * width, 4, 2)
    smallest = size_px // 16
    x = layers.Conv2D(knobs.code, smallest)(x)
    x = layers.Conv2D(smallest * smallest * 4 * width, 1)(x)
    x = layers.ReLU(6.0)(x)
    x = layers.Reshape((smallest, smallest, 4 * width))(x)
    for channels in (3, 2, 1):
        x = layers.UpSampling2D(2)(x)
        x = _convolution(x, channels * width, 3, 1)
    x = layers.Conv2D(3, 3, padding="same")(x)
    return keras.Model(pictures, layers.Rescaling(127.5, 127.5)(x), name="autoencoder")


def _convolution(x, channels: int, size: int, stride: int):
    x = layers.Conv2D(channels, size, strides=stride, padding="same", use_bias=False)(x)
    return layers.ReLU(6.0)(layers.BatchNormalization(momentum=MOMENTUM)(x))


def _separable(x, channels: int, stride: int):
    x = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization(momentum=MOMENTUM)(x))
    return _convolution(x, channels, 1, 1)
