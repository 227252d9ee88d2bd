namespace AsrPlatform.WhisperTorch.Training;

/// <summary>Layers whose graphs were not kept, to be computed again when their gradients are due.</summary>
/// <param name="device">Where they compute.</param>
/// <param name="records">False where no gradients will be asked for: nothing is kept then.</param>
/// <remarks>Made and used in the dispose scope of one micro-batch.</remarks>
internal sealed class LayerTape(Device device, bool records) : IDisposable
{
    private readonly Stack<(Tensor Input, RandomPoint Random, Func<Tensor, Tensor> Layer)> _layers = new();

    /// <summary>Runs a layer.</summary>
    /// <param name="input">Outside of any graph; kept until <see cref="Backward"/>.</param>
    /// <param name="layer">The layer; must not overwrite its input.</param>
    public Tensor Run(Tensor input, Func<Tensor, Tensor> layer)
    {
        if (!records)
        {
            using var noGrad = no_grad();
            return layer(input);
        }

        // The graph is made and dropped at once: without one, some products are computed by other kernels and differ in the last digit.
        _layers.Push((input, RandomPoint.Mark(device), layer));
        using var scope = NewDisposeScope();
        return layer(input.detach().requires_grad_()).detach().MoveToOuterDisposeScope();
    }

    /// <summary>Goes back through the layers, adds their parameters' gradients, and returns that of the first layer's input.</summary>
    /// <param name="gradient">Of the last layer's output.</param>
    public Tensor? Backward(Tensor? gradient)
    {
        if (gradient is null)
        {
            return null;
        }

        using var now = RandomPoint.Mark(device);
        while (_layers.TryPop(out var entry))
        {
            using var scope = NewDisposeScope();
            using var point = entry.Random;
            point.Restore();
            var input = entry.Input.detach().requires_grad_();
            autograd.backward([entry.Layer(input)], [gradient!]);
            entry.Input.Dispose();
            gradient = input.grad!.MoveToOuterDisposeScope();
        }

        now.Restore();
        return gradient;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var (_, point, _) in _layers)
        {
            point.Dispose();
        }
    }
}
