using AsrPlatform.Abstractions.Adapters;

namespace AsrPlatform.LoraAdapter.Deltas;

/// <summary>Adds s·B(A x) to a linear layer or a convolution; with DoRA, scales each output to its magnitude.</summary>
internal sealed class LowRankDelta(IAdaptableLayer<Tensor> layer, AdaptedModule module, TrainingState state) : ILayerDelta<Tensor>, IDisposable
{
    private readonly LowRankFactors _factors = module.Factors!;
    private readonly bool _isConvolution = layer.Kind == AdaptableLayerKind.Convolution;
    private Tensor? _outputFactor; // kept where training does not change it

    /// <inheritdoc />
    public Tensor Apply(Tensor input, Tensor output)
    {
        using var scope = NewDisposeScope();
        var type = input.dtype;
        var seen = state.Drop(input);
        var inner = layer.Compute(seen, _factors.First(type), null);
        if (is_grad_enabled())
        {
            return Recorded(seen, output, inner, type).MoveToOuterDisposeScope();
        }

        if (_factors.Magnitude is null)
        {
            AddProduct(output, inner, type);
            if (module.Bias is { } bias)
            {
                output.add_(ByOutput(bias.As(type).sub(layer.Bias!.to(type))));
            }
        }
        else
        {
            // y = f·(W x + s·B(A x)) + b
            if (layer.Bias is { } old)
            {
                output.sub_(ByOutput(old));
            }

            AddProduct(output, inner, type);
            output.mul_(ByOutput(OutputFactor(type)));
            if ((module.Bias?.As(type) ?? layer.Bias) is { } bias)
            {
                output.add_(ByOutput(bias));
            }
        }

        return output;
    }

    /// <inheritdoc />
    public void Dispose() => _outputFactor?.Dispose();

    private Tensor Recorded(Tensor seen, Tensor output, Tensor inner, ScalarType type)
    {
        var low = Product(inner, type);
        var result = output;
        if (_factors.Magnitude is not null)
        {
            // The base's term sees dropout too, as in PEFT.
            var plain = state.Drops ? layer.Compute(seen, layer.Weight.to(type), null)
                : layer.Bias is { } old ? output.sub(ByOutput(old.to(type)))
                : output;
            var factor = ByOutput(OutputFactor(type));
            result = result.add(plain.mul(factor.sub(1)));
            low = low.mul(factor);
        }

        result = result.add(low, _factors.Scale);
        return module.Bias is { } bias ? result.add(ByOutput(bias.As(type).sub(layer.Bias!.to(type)))) : result;
    }

    private Tensor Product(Tensor inner, ScalarType type)
    {
        var second = _factors.Second(type);
        var bias = _factors.BBias?.As(type);
        return _isConvolution ? nn.functional.conv1d(inner, second, bias) : nn.functional.linear(inner, second, bias);
    }

    private void AddProduct(Tensor output, Tensor inner, ScalarType type)
    {
        if (_isConvolution || !IsFlat(output))
        {
            output.add_(Product(inner, type), _factors.Scale);
            return;
        }

        // One product that adds to what is there, without a copy of the output.
        var width = output.shape[^1];
        output.view(-1, width).addmm_(inner.view(-1, inner.shape[^1]), _factors.Second(type).t(), beta: 1, alpha: (float)_factors.Scale);
        if (_factors.BBias is { } bias)
        {
            output.add_(bias.As(type), _factors.Scale);
        }
    }

    // Whether [batch, position, out] can be seen as [batch·position, out].
    private static bool IsFlat(Tensor output)
    {
        var size = output.shape;
        return size.Length == 3 && (size[0] == 1 || output.stride(0) == size[1] * output.stride(1));
    }

    private Tensor OutputFactor(ScalarType type)
    {
        if (state.IsTrainable)
        {
            return _factors.OutputFactor(layer.Weight).to(type);
        }

        if (_outputFactor?.dtype != type)
        {
            _outputFactor?.Dispose();
            _outputFactor = _factors.OutputFactor(layer.Weight).to(type).DetachFromDisposeScope();
        }

        return _outputFactor;
    }

    // [out] so that it spreads over the outputs of the layer.
    private Tensor ByOutput(Tensor values) => _isConvolution ? values.view(1, -1, 1) : values;
}
