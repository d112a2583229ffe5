/** The camera where the browser allows it, else the telephone's own, behind a file dialogue. */

export function watchCamera(button, phone, take, fail) {
  const [dialog, video] = [document.getElementById("camera"), document.getElementById("video")];
  const shoot = document.getElementById("shoot");
  let stream = null;

  button.addEventListener("click", async () => {
    if (!navigator.mediaDevices?.getUserMedia) {
      phone.click(); // a page that came over plain HTTP gets no camera
      return;
    }
    try {
      const wanted = { facingMode: { ideal: "environment" }, width: { ideal: 1280 } };
      stream = await navigator.mediaDevices.getUserMedia({ video: wanted });
    } catch (error) {
      fail(new Error(`The camera cannot be used: ${error.message}.`));
      return;
    }
    video.srcObject = stream;
    shoot.disabled = true; // until there is a picture
    dialog.showModal();
    await video.play();
    shoot.disabled = false;
    shoot.focus();
  });
  document.getElementById("camera-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    for (const track of stream?.getTracks() ?? []) track.stop();
    video.srcObject = null;
  });
  shoot.addEventListener("click", () => {
    const still = document.createElement("canvas");
    [still.width, still.height] = [video.videoWidth, video.videoHeight];
    still.getContext("2d").drawImage(video, 0, 0);
    still.toBlob((blob) => {
      dialog.close();
      take(new File([blob], "camera.jpg", { type: "image/jpeg" }));
    }, "image/jpeg", 0.92);
  });
}
