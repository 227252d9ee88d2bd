namespace AsrPlatform.LibTorch.Tests;

public sealed class SmokeTests
{
    [Fact]
    public void Matmul_OfSmallMatrices_IsRight()
    {
        using var scope = torch.NewDisposeScope();
        var a = torch.tensor(new float[] { 1, 2, 3, 4 }, [2, 2]);
        Assert.Equal(new float[] { 7, 10, 15, 22 }, a.matmul(a).data<float>().ToArray());
        Assert.Equal([2L, 2L], (a + 1).shape);
    }
}
