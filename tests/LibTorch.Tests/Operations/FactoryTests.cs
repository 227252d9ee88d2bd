using static AsrPlatform.LibTorch.Tests.TensorAssert;

namespace AsrPlatform.LibTorch.Tests.Operations;

public sealed class FactoryTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Filled_WithoutType_IsFloat32OnTheCpu()
    {
        Close([0, 0, 0, 0, 0, 0], [2, 3], zeros(2, 3));
        Close([1, 1], [2], ones(2));
        Close([2.5, 2.5], [1, 2], full(1, 2, 2.5));
        Assert.All(new[] { zeros(1), ones(1), full(1, 2.5f), empty(1), rand(1), randn(1), linspace(0, 1, 2), eye(2) }, t =>
        {
            Assert.Equal(ScalarType.Float32, t.dtype);
            Assert.Equal(DeviceType.CPU, t.device.type);
        });
    }

    [Fact]
    public void WholeNumbers_WithoutType_AreInt64()
    {
        Assert.Equal(ScalarType.Int64, full([2], 7).dtype);
        Assert.Equal(ScalarType.Int64, arange(3).dtype);
        Assert.Equal(ScalarType.Int64, randint(5, [3]).dtype);
        Assert.Equal(ScalarType.Int64, randperm(3).dtype);
        Assert.Equal(ScalarType.Float32, arange(0.0, 1.0, 0.5).dtype);
    }

    [Fact]
    public void Ranges_CountAsAsked()
    {
        Close([0, 1, 2], arange(3));
        Close([2, 5], arange(2, 8, 3));
        Close([0, 0.5, 1], linspace(0, 1, 3));
        Close([1, 0, 0, 1], [2, 2], eye(2));
        Close([0, 0.5, 1, 0.5], hann_window(4));
        Close([0, 1, 2, 3, 4], randperm(5).sort().Values);
    }

    [Fact]
    public void Arrays_OfEveryType_ComeInAndOut()
    {
        Check(new float[] { 1.5f, -2 }, float32, t => tensor(t), [1.5, -2]);
        Check(new double[] { 1.5, -2 }, float64, t => tensor(t), [1.5, -2]);
        Check(new long[] { long.MaxValue >> 11, -2 }, int64, t => tensor(t), [long.MaxValue >> 11, -2]);
        Check(new int[] { 7, -2 }, int32, t => tensor(t), [7, -2]);
        Check(new short[] { 7, -2 }, int16, t => tensor(t), [7, -2]);
        Check(new sbyte[] { 7, -2 }, int8, t => tensor(t), [7, -2]);
        Check(new byte[] { 7, 255 }, uint8, t => tensor(t), [7, 255]);
        Check(new bool[] { true, false }, @bool, t => tensor(t), [1, 0]);
        Check(new Half[] { (Half)1.5, (Half)(-2) }, float16, t => tensor(t), [1.5, -2]);

        static void Check<T>(T[] data, ScalarType type, Func<T[], Tensor> make, double[] expected)
            where T : unmanaged
        {
            var made = make(data);
            Assert.Equal(type, made.dtype);
            Assert.Equal(data, made.data<T>().ToArray());
            Close(expected, made);
        }
    }

    [Fact]
    public void Arrays_WithShape_FillRowByRow()
    {
        var made = tensor(new float[] { 1, 2, 3, 4, 5, 6 }, [2, 3]);
        Close([4, 5, 6], made[1]);
        Close([1, 2, 3, 4, 5, 6], [2, 3], tensor(new float[,] { { 1, 2, 3 }, { 4, 5, 6 } }));
        Close([1, 2], [1, 1, 2], tensor(new long[,,] { { { 1, 2 } } }));
        Close([1, 2], [2, 1], tensor(new List<long> { 1, 2 }, [2, 1]));
        Close([3], [], tensor(3f));
        Assert.Throws<ArgumentException>(() => tensor(new float[] { 1 }, [2]));
    }

    [Fact]
    public void Array_ChangedAfterwards_DoesNotChangeTheTensor()
    {
        var data = new float[] { 1, 2 };
        var made = tensor(data);
        data[0] = 9;
        Close([1, 2], made);
    }

    [Theory]
    [InlineData(ScalarType.Float16)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float32)]
    public void Bytes_AreTheMemory_InEveryFloatingType(ScalarType type)
    {
        // 1.5 and -0.25 are exact in all three.
        byte[] source = type switch
        {
            ScalarType.Float16 => [0x00, 0x3E, 0x00, 0xB4],
            ScalarType.BFloat16 => [0xC0, 0x3F, 0x80, 0xBE],
            _ => [0x00, 0x00, 0xC0, 0x3F, 0x00, 0x00, 0x80, 0xBE],
        };
        var made = empty(2, dtype: type);
        source.CopyTo(made.bytes);
        Close([1.5, -0.25], made.to(float32), 0);
        Assert.Equal(source, made.to(float32).to(type).bytes.ToArray());
    }

    [Fact]
    public void Random_WithTheSameSeed_IsTheSame()
    {
        manual_seed(7);
        var first = Values(rand(100));
        var state = get_rng_state();
        var second = Values(randn(100));
        manual_seed(7);
        Assert.Equal(first, Values(rand(100)));
        set_rng_state(state);
        Assert.Equal(second, Values(randn(100)));
        Assert.All(first, x => Assert.InRange(x, 0, 1));

        using var own = new Generator(3);
        using var twin = new Generator(3);
        Assert.Equal(Values(rand(5, generator: own)), Values(rand(5, generator: twin)));
        Assert.Equal(3, own.initial_seed());
    }

    [Fact]
    public void Random_InPlace_HasTheMomentsAskedFor()
    {
        manual_seed(1);
        var normal = empty(20000).normal_(3, 0.5);
        Assert.InRange(normal.mean().ToDouble(), 2.98, 3.02);
        Assert.InRange(normal.std().ToDouble(), 0.49, 0.51);
        var uniform = empty(20000).uniform_(-1, 3);
        Assert.InRange(uniform.min().ToDouble(), -1, -0.99);
        Assert.InRange(uniform.max().ToDouble(), 2.99, 3);
        Assert.InRange(empty(20000).bernoulli_(0.25).mean().ToDouble(), 0.23, 0.27);
        Assert.InRange(randint(2, 5, [1000]).min().ToInt64(), 2, 2);
        Assert.InRange(randint(2, 5, [1000]).max().ToInt64(), 4, 4);
    }

    [Fact]
    public void Like_TakesShapeTypeAndPlace()
    {
        var like = zeros(2, 3, dtype: float64);
        Assert.All(new[] { zeros_like(like), ones_like(like), empty_like(like), full_like(like, 2), rand_like(like), randn_like(like) }, t =>
        {
            Assert.Equal([2L, 3L], t.shape);
            Assert.Equal(ScalarType.Float64, t.dtype);
        });
        Assert.Equal(ScalarType.Int64, zeros_like(like, int64).dtype);
        Close([2, 2, 2, 2, 2, 2], full_like(like, 2));
    }
}
