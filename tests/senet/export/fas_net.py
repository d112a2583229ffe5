"""A network for 80 x 80 pixels whose weights others trained: blue first, pixels 0..255.

Written from the names and shapes in its weight file. There is no average pooling: a depthwise
convolution over the whole last map stands for it, and two fully connected layers follow.
"""

from torch import Tensor, nn


class Unit(nn.Sequential):
    """Convolution, normalisation and, unless it projects, PReLU."""

    def __init__(
        self, ins: int, outs: int, kernel: int = 1, stride: int = 1, *, active: bool = True
    ) -> None:
        groups = ins if kernel > 1 and ins == outs else 1
        padding = kernel // 2 if kernel == 3 else 0
        super().__init__()
        self.conv = nn.Conv2d(ins, outs, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outs)
        if active:
            self.prelu = nn.PReLU(outs)


class Gate(nn.Module):
    """Squeeze and excitation with normalisations between."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = channels // 4
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, hidden, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(hidden)
        self.fc2 = nn.Conv2d(hidden, channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.bn1(self.fc1(self.pool(x))).relu()
        out: Tensor = x * self.bn2(self.fc2(hidden)).sigmoid()
        return out


class Block(nn.Module):
    """Inverted residual block, or a step to half the size."""

    def __init__(
        self, ins: int, inner: int, outs: int, stride: int = 1, *, gated: bool = False
    ) -> None:
        super().__init__()
        self.conv = Unit(ins, inner)
        self.conv_dw = Unit(inner, inner, 3, stride)
        self.project = Unit(inner, outs, active=False)
        self.residual = stride == 1
        if gated:
            self.se_module = Gate(outs)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.project(self.conv_dw(self.conv(x)))
        if hasattr(self, "se_module"):
            out = self.se_module(out)
        return x + out if self.residual else out


class Stage(nn.Module):
    """Residual blocks, the last with a gate."""

    def __init__(self, channels: int, inner: tuple[int, ...]) -> None:
        super().__init__()
        last = len(inner) - 1
        self.model = nn.Sequential(
            *(
                Block(channels, width, channels, gated=index == last)
                for index, width in enumerate(inner)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.model(x)
        return out


class FasNet(nn.Module):
    """The whole network, three classes; takes red first and turns the channels round."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = Unit(3, 32, 3, 2)
        self.conv2_dw = Unit(32, 32, 3)
        self.conv_23 = Block(32, 103, 64, 2)
        self.conv_3 = Stage(64, (13, 26, 13, 52))
        self.conv_34 = Block(64, 231, 128, 2)
        self.conv_4 = Stage(128, (154, 52, 26, 52, 26, 26))
        self.conv_45 = Block(128, 308, 128, 2)
        self.conv_5 = Stage(128, (26, 26))
        self.conv_6_sep = Unit(128, 512)
        self.conv_6_dw = Unit(512, 512, 5, active=False)
        self.linear = nn.Linear(512, 128, bias=False)
        self.bn = nn.BatchNorm1d(128)
        self.prob = nn.Linear(128, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv2_dw(self.conv1(x.flip(1)))
        out = self.conv_34(self.conv_3(self.conv_23(out)))
        out = self.conv_5(self.conv_45(self.conv_4(out)))
        pooled = self.conv_6_dw(self.conv_6_sep(out)).flatten(1)
        logits: Tensor = self.prob(self.bn(self.linear(pooled)))
        return logits
