using System.Runtime.InteropServices;
using F = AsrPlatform.LibTorch.torch.nn.functional;

namespace AsrPlatform.LibTorch.Tests.Runtime;

public sealed class ErrorTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    private static void Fails(string message, Action act)
    {
        var error = Assert.Throws<ExternalException>(act);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
        Assert.DoesNotContain("frame #", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Messages_AreLibTorchsFirstLine()
    {
        Fails("mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)", () => zeros(2, 3).mm(zeros(2, 3)));
        Fails("must match the size of tensor b", () => _ = zeros(2) + zeros(3));
        Fails("shape '[7]' is invalid for input of size 6", () => zeros(6).view(7));
        Fails("Dimension out of range", () => zeros(2).unsqueeze(5));
        Fails("expected a non-empty list of Tensors", () => cat([]));
    }

    [Fact]
    public void Failures_OfEveryKindOfCall_Throw()
    {
        Fails("", () => zeros(2).add_(zeros(3)));
        Fails("", () => zeros(2, 3).topk(9));
        Fails("", () => zeros(2, 3).split([1, 5], 1));
        Fails("", () => zeros(2, 3).backward());
        Fails("", () => autograd.grad([zeros(1)], [zeros(1)]));
        Fails("", () => zeros(2).index(TensorIndex.Single(9)));
        Fails("", () => F.cross_entropy(zeros(1, 3), tensor(new long[] { 3 })));
        Fails("", () => zeros(2, 3).ToScalar());
        Fails("", () => zeros(-1));
    }

    [Fact]
    public void Cuda_WhereThereIsNone_IsAnErrorNotACrash()
    {
        Assert.SkipWhen(cuda.is_available(), "This machine has CUDA.");
        Assert.Equal(0, cuda.device_count());
        Fails("", () => zeros(2, device: CUDA));
        Fails("", () => zeros(2).cuda());
        Assert.False(backends.cuda.matmul.allow_tf32 && !cuda.is_available());
    }

    [Fact]
    public void DisposedTensor_Refuses()
    {
        var t = zeros(2);
        t.Dispose();
        Assert.Throws<ObjectDisposedException>(() => t + 1);
        Assert.Throws<ObjectDisposedException>(() => zeros(2) + t);
        Assert.Throws<ObjectDisposedException>(() => t.shape);
        Assert.Equal("(disposed tensor)", t.ToString());
    }

    [Fact]
    public void Data_OfTheWrongKind_IsRefusedWithWhatToDo()
    {
        Assert.Contains("contiguous()", Assert.Throws<InvalidOperationException>(() => zeros(2, 3).t().bytes.Length).Message, StringComparison.Ordinal);
        Assert.Contains("Float32", Assert.Throws<ArgumentException>(() => zeros(1).item<double>()).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => zeros(2).item<float>());
        Assert.Throws<ArgumentException>(() => zeros(2).bytes = new byte[3]);
        Assert.Throws<EndOfStreamException>(() => zeros(2).ReadBytesFromStream(new MemoryStream([1, 2, 3])));
    }

    [Fact]
    public void Devices_AreNamed()
    {
        Assert.Equal("cuda:1", new Device("cuda:1").ToString());
        Assert.Equal(1, new Device("cuda", 1).index);
        Assert.Equal(DeviceType.CPU, device("cpu").type);
        Assert.Throws<ArgumentException>(() => new Device("tpu"));
        Assert.Throws<ArgumentException>(() => new Device("cuda:x"));
    }

    [Fact]
    public void Streams_CarryBytesBothWays()
    {
        using var stream = new MemoryStream();
        var t = TensorAssert.Numbers(1, 3, 5);
        t.WriteBytesToStream(stream, 7);
        stream.Position = 0;
        var back = empty(3, 5);
        back.ReadBytesFromStream(stream, 11);
        Assert.True(torch.equal(t, back).ToBoolean());
    }
}
