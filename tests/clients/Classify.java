import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The JDK's own client as it comes: offers HTTP/2 with each request in clear text. */
public class Classify {
    public static void main(String[] arguments) throws Exception {
        URI service = URI.create(arguments[0]);
        byte[] picture = Files.readAllBytes(Path.of(arguments[1]));
        HttpClient client = HttpClient.newHttpClient();
        HttpRequest ready = HttpRequest.newBuilder(service.resolve("/readyz")).build();
        HttpRequest known = HttpRequest.newBuilder(service.resolve("/classify"))
            .header("Content-Type", "image/png")
            .POST(BodyPublishers.ofByteArray(picture))
            .build();
        HttpRequest chunked = HttpRequest.newBuilder(service.resolve("/classify"))
            .header("Content-Type", "image/png")
            .POST(BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(picture)))
            .build();
        for (HttpRequest request : List.of(ready, known, chunked, known, ready)) {
            System.out.println(client.send(request, BodyHandlers.ofString()).statusCode());
        }
        var answers = new ArrayList<java.util.concurrent.CompletableFuture<Integer>>();
        for (int turn = 0; turn < 16; turn++) {
            HttpRequest request = turn % 2 == 0 ? known : chunked;
            answers.add(client.sendAsync(request, BodyHandlers.ofString()).thenApply(answer -> answer.statusCode()));
        }
        for (var answer : answers) {
            System.out.println(answer.get());
        }
    }
}
